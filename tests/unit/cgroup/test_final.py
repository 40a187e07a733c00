"""What a cgroup tells at the end, from made-up files: a number is there, or zero, or not known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from orlop.cgroup.files import each_below
from orlop.cgroup.stats.final import final, places
from tests.unit.cgroup.test_stats import V1, V2


def write(directory: Path, contents: Mapping[str, str]) -> str:
    directory.mkdir(parents=True)
    for name, text in contents.items():
        (directory / name).write_text(text)
    return str(directory)


@pytest.fixture
def v2(tmp_path: Path) -> Mapping[str, str]:
    return {"": write(tmp_path / "v2", V2)}


def test_version_2_tells_peaks_and_sums(v2: Mapping[str, str]) -> None:
    assert final(v2) == {
        "memory_peak": 40960,
        "oom_kills": 1,
        "cpu_total": 9_000_000,
        "cpu_user": 7_000_000,
        "cpu_system": 2_000_000,
        "cpu_throttled": 40_000,
        "cpu_throttled_periods": 2,
        "pids_peak": 7,
        "pids_refused": 3,
        "io_read": 1459200,
        "io_written": 0,
        "io_reads": 192,
        "io_writes": 0,
    }


def test_several_devices_are_added_up(v2: Mapping[str, str]) -> None:
    lines = "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16\n8:32 rbytes=10 wbytes=20 rios=30 wios=40\n"
    Path(v2[""], "io.stat").write_text(lines)
    found = final(v2)
    assert [found[name] for name in ("io_read", "io_written", "io_reads", "io_writes")] == [11, 22, 33, 44]


def test_who_has_read_nothing_has_read_zero_bytes(v2: Mapping[str, str]) -> None:
    Path(v2[""], "io.stat").write_text("")
    found = final(v2)
    assert [found[name] for name in ("io_read", "io_written", "io_reads", "io_writes")] == [0, 0, 0, 0]


def test_on_version_1_too(tmp_path: Path) -> None:
    names = ("blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive")
    found = final({"blkio": write(tmp_path / "blkio", dict.fromkeys(names, ""))})
    assert [found[name] for name in ("io_read", "io_written", "io_reads", "io_writes")] == [0, 0, 0, 0]


def test_what_a_cgroup_does_not_tell_is_not_zero(v2: Mapping[str, str], tmp_path: Path) -> None:
    for name in ("io.stat", "memory.events", "memory.peak", "pids.peak", "pids.events"):
        Path(v2[""], name).unlink()
    assert set(final(v2)) == {"cpu_total", "cpu_user", "cpu_system", "cpu_throttled", "cpu_throttled_periods"}
    assert final({}) == {}
    assert final({"": str(tmp_path / "gone")}) == {}


def test_version_1_adds_the_kills_of_the_cgroups_below(tmp_path: Path) -> None:
    memory = {**V1["memory"], "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"}
    path = write(tmp_path / "memory", memory)
    write(tmp_path / "memory/below", {"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"})
    assert final({"memory": path})["oom_kills"] == 3


def test_copies_stand_for_the_files_of_a_cgroup_that_is_gone(v2: Mapping[str, str], tmp_path: Path) -> None:
    names = places(v2)
    assert {Path(name).name for name in names} == {
        "memory.peak", "memory.events", "cpu.stat", "pids.peak", "pids.events", "io.stat",
    }  # fmt: skip
    copies = {name: Path(name).read_text() for name in names}
    before = final(v2)
    for file in Path(v2[""]).iterdir():
        file.unlink()
    assert final(v2) == {}
    assert final(v2, copies) == before


def test_on_version_1_copies_serve_too(tmp_path: Path) -> None:
    names = ("memory", "cpu", "cpuacct", "pids", "blkio")
    paths = {name: write(tmp_path / name, V1.get(name, {})) for name in names}
    Path(paths["memory"], "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    before = final(paths)
    assert before["oom_kills"] == 2 and before["cpu_user"] == 30_000_000
    copies = {name: Path(name).read_text() for name in places(paths) if Path(name).exists()}
    assert final({name: f"{tmp_path}/gone/{name}" for name in names}) == {}
    shutil.rmtree(tmp_path)
    assert final(paths, copies) == before


def test_cgroups_nested_deeper_than_any_path_are_counted(tmp_path: Path) -> None:
    memory = write(tmp_path / "memory", {"memory.oom_control": "oom_kill 1\n"})
    here = os.open(memory, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("a", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        file = os.open("memory.oom_control", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here)
        os.write(file, b"oom_kill 2\n")
        os.close(file)
    os.close(here)
    try:
        assert final({"memory": memory})["oom_kills"] == 5001
    finally:
        for above, name, emptied in each_below(memory):
            if emptied:
                os.unlink(f"{name}/memory.oom_control", dir_fd=above)
                os.rmdir(name, dir_fd=above)
