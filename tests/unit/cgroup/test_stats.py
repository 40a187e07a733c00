"""Statistics from made-up files: each number in its place, in runc's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from orlop.cgroup.stats import shape
from orlop.cgroup.stats.collect import page_sizes, statistics
from orlop.errors import CgroupError

PRESSURE = """\
some avg10=1.50 avg60=0.00 avg300=12.25 total=77
full avg10=0.00 avg60=0.00 avg300=0.00 total=3
"""
PSI = {
    "some": {"avg10": 1.5, "avg60": 0, "avg300": 12.25, "total": 77},
    "full": {"avg10": 0, "avg60": 0, "avg300": 0, "total": 3},
}

V2 = {
    "cgroup.procs": "10\n11\n",
    "cpu.stat": "usage_usec 9000\nuser_usec 7000\nsystem_usec 2000\nnr_periods 5\nnr_throttled 2\nthrottled_usec 40\n"
    "nr_bursts 1\nburst_usec 6\n",
    "cpu.pressure": PRESSURE,
    "memory.stat": "file 4096\nanon 8192\n",
    "memory.current": "20480\n",
    "memory.max": "max\n",
    "memory.peak": "40960\n",
    "memory.swap.current": "1024\n",
    "memory.swap.max": "2048\n",
    "memory.events": "low 0\nhigh 0\nmax 4\noom 2\noom_kill 1\n",
    "memory.pressure": PRESSURE,
    "pids.current": "2\n",
    "pids.max": "max\n",
    "pids.peak": "7\n",
    "pids.events": "max 3\n",
    "io.stat": "8:16 rbytes=1459200 wbytes=0 rios=192 wios=0 dbytes=0 dios=0\n",
    "io.pressure": PRESSURE,
    "hugetlb.2MB.current": "1\n",
    "hugetlb.2MB.rsvd.current": "4194304\n",
    "hugetlb.2MB.events": "max 9\n",
    "rdma.current": "mlx4_0 hca_handle=2 hca_object=2000\n",
    "rdma.max": "mlx4_0 hca_handle=max hca_object=max\n",
    "misc.current": "res_a 5\n",
    "misc.events": "res_a.max 1\n",
}

V1: dict[str, dict[str, str]] = {
    "cpu": {"cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 40\nnr_bursts 0\nburst_time 0\n"},
    "cpuacct": {
        "cpuacct.usage": "9000\n",
        "cpuacct.stat": "user 3\nsystem 1\n",
        "cpuacct.usage_percpu": "4000 5000 \n",
        "cpuacct.usage_all": "cpu user system\n0 10 20\n1 30 40\n",
    },
    "cpuset": {"cpuset.cpus": "0-1,4\n", "cpuset.mems": "0\n", "cpuset.sched_relax_domain_level": "-1\n"},
    "memory": {
        "memory.stat": "rss 1\ncache 4096\n",
        "memory.usage_in_bytes": "20480\n",
        "memory.max_usage_in_bytes": "40960\n",
        "memory.limit_in_bytes": "9223372036854771712\n",
        "memory.failcnt": "3\n",
        "memory.kmem.usage_in_bytes": "100\n",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    },
    "pids": {"pids.current": "2\n", "pids.max": "20\n"},
    "blkio": {
        "blkio.bfq.io_serviced_recursive": "Total 0\n",
        "blkio.throttle.io_serviced_recursive": "8:0 Read 4\n8:0 Total 4\nTotal 4\n",
        "blkio.sectors_recursive": "8:0 17\n",
    },
    "hugetlb": {
        "hugetlb.2MB.usage_in_bytes": "2\n",
        "hugetlb.2MB.max_usage_in_bytes": "3\n",
        "hugetlb.2MB.failcnt": "0\n",
    },
}


@pytest.fixture
def huge_pages(tmp_path: Path) -> str:
    for name in ("hugepages-2048kB", "hugepages-1048576kB", "hugepages-64kB", "else"):
        (tmp_path / "huge" / name).mkdir(parents=True)
    return str(tmp_path / "huge")


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    return _directory(tmp_path / "v2", V2)


@pytest.fixture
def v1(tmp_path: Path) -> dict[str, str]:
    return {name: str(_directory(tmp_path / name, files)) for name, files in V1.items()}


def _directory(path: Path, files: Mapping[str, str]) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_version_2_in_the_shape_of_runc(v2: Path, huge_pages: str) -> None:
    assert shape.current(statistics({"": str(v2)}, huge_pages=huge_pages)) == {
        "cpu": {
            "usage": {"total": 9000000, "kernel": 2000000, "user": 7000000},
            "throttling": {"periods": 5, "throttledPeriods": 2, "throttledTime": 40000},
            "psi": PSI,
        },
        "cpuset": {
            "cpu_exclusive": 0,
            "mem_hardwall": 0,
            "mem_exclusive": 0,
            "memory_migrate": 0,
            "memory_spread_page": 0,
            "memory_spread_slab": 0,
            "memory_pressure": 0,
            "sched_load_balance": 0,
            "sched_relax_domain_level": 0,
        },
        "memory": {
            "cache": 4096,
            "usage": {"limit": 2**64 - 1, "usage": 20480, "max": 40960, "failcnt": 0},
            "swap": {"limit": 2**64 - 1, "usage": 21504, "failcnt": 0},
            "raw": {"anon": 8192, "file": 4096},
            "psi": PSI,
        },
        "pids": {"current": 2},
        "blkio": {
            "ioServiceBytesRecursive": [
                {"major": 8, "minor": 16, "op": "Read", "value": 1459200},
                {"major": 8, "minor": 16, "op": "Write"},
            ],
            "ioServicedRecursive": [
                {"major": 8, "minor": 16, "op": "Read", "value": 192},
                {"major": 8, "minor": 16, "op": "Write"},
            ],
            "psi": PSI,
        },
        "hugetlb": {"2MB": {"usage": 4194304, "failcnt": 9}},
        "intel_rdt": {},
        "network_interfaces": None,
    }


def test_version_1_in_the_shape_of_runc(v1: dict[str, str], huge_pages: str) -> None:
    data = shape.current(statistics(v1, huge_pages=huge_pages))
    assert data["cpu"] == {
        "usage": {
            "total": 9000,
            "percpu": [4000, 5000],
            "percpu_kernel": [20, 40],
            "percpu_user": [10, 30],
            "kernel": 10000000,
            "user": 30000000,
        },
        "throttling": {"periods": 5, "throttledPeriods": 2, "throttledTime": 40},
    }
    assert data["memory"] == {
        "cache": 4096,
        "usage": {"limit": 9223372036854771712, "usage": 20480, "max": 40960, "failcnt": 3},
        "kernel": {"limit": 0, "usage": 100, "failcnt": 0},
        "raw": {"cache": 4096, "rss": 1},
    }
    assert data["pids"] == {"current": 2, "limit": 20}
    assert data["blkio"] == {
        "ioServicedRecursive": [
            {"major": 8, "op": "Read", "value": 4},
            {"major": 8, "op": "Total", "value": 4},
        ],
        "sectorsRecursive": [{"major": 8, "value": 17}],
    }
    assert data["hugetlb"] == {"2MB": {"usage": 2, "max": 3, "failcnt": 0}}
    cpuset = data["cpuset"]
    assert isinstance(cpuset, dict)
    assert (cpuset["cpus"], cpuset["mems"], cpuset["sched_relax_domain_level"]) == ([0, 1, 4], [0], -1)


def test_the_shape_of_the_old_command_line(v1: dict[str, str], huge_pages: str) -> None:
    data = shape.old(statistics(v1, huge_pages=huge_pages))
    assert list(data) == ["Interfaces", "CgroupStats"]
    stats = data["CgroupStats"]
    assert isinstance(stats, dict)
    assert stats["cpu_stats"] == {
        "cpu_usage": {
            "total_usage": 9000,
            "percpu_usage": [4000, 5000],
            "usage_in_kernelmode": 10000000,
            "usage_in_usermode": 30000000,
        },
        "throttling_data": {"periods": 5, "throttled_periods": 2, "throttled_time": 40},
    }
    assert stats["memory_stats"] == {
        "cache": 4096,
        "usage": {"usage": 20480, "max_usage": 40960, "failcnt": 3},
        "swap_usage": {"failcnt": 0},
        "kernel_usage": {"usage": 100, "failcnt": 0},
        "stats": {"cache": 4096, "rss": 1},
    }
    assert stats["hugetlb_stats"] == {"2MB": {"usage": 2, "max_usage": 3, "failcnt": 0}}
    del v1["hugetlb"]
    without = shape.old(statistics(v1, huge_pages=huge_pages))["CgroupStats"]
    assert isinstance(without, dict) and "hugetlb_stats" not in without


@pytest.mark.parametrize("kind", [shape.current, shape.old])
def test_a_cgroup_that_is_gone_has_used_nothing(kind: object, tmp_path: Path) -> None:
    assert callable(kind)
    assert "psi" not in str(kind(statistics({"": str(tmp_path / "gone")})))


def test_what_no_event_shows_is_read_too(v2: Path, huge_pages: str) -> None:
    assert statistics({"": str(v2)}, huge_pages=huge_pages)["extra"] == {
        "burst": {"periods": 1, "time": 6000},
        "oom_kills": 1,
        "pids": {"peak": 7, "refused": 3},
        "swap": {"limit": 2048, "usage": 1024},
        "rdma": {
            "current": [{"device": "mlx4_0", "hca_handle": 2, "hca_object": 2000}],
            "limit": [{"device": "mlx4_0", "hca_handle": 2**32 - 1, "hca_object": 2**32 - 1}],
        },
        "misc": {"current": {"res_a": 5}, "events": {"res_a.max": 1}},
    }


def test_processes_are_counted_where_no_controller_does(v2: Path) -> None:
    (v2 / "pids.current").unlink()
    (v2 / "pids.max").unlink()
    assert statistics({"": str(v2)})["pids"] == {"current": 2}


def test_a_hybrid_host_has_the_numbers_of_version_1(v1: dict[str, str], v2: Path) -> None:
    assert statistics({**v1, "": str(v2)}) == statistics(v1)


def test_a_file_that_makes_no_sense_is_named_in_the_error(v2: Path) -> None:
    (v2 / "cpu.stat").write_text("usage_usec many\n")
    with pytest.raises(CgroupError, match=r"cannot understand the cgroup file cpu\.stat"):
        statistics({"": str(v2)})


def test_sizes_of_huge_pages_are_written_as_the_kernel_writes_them(huge_pages: str) -> None:
    assert page_sizes(huge_pages) == ["64KB", "2MB", "1GB"]
    assert page_sizes("/nowhere") == []
