"""Statistics of resctrl from made-up files."""

from __future__ import annotations

from pathlib import Path

import pytest

from orlop.host.resctrl_stats import statistics

FILES = {
    "schemata": "    L3:0=fff;1=fff\n    MB:0=100;1=100\n",
    "info/L3/cbm_mask": "fff\n",
    "info/L3/min_cbm_bits": "2\n",
    "info/L3/num_closids": "16\n",
    "info/MB/bandwidth_gran": "10\n",
    "info/MB/delay_linear": "1\n",
    "info/MB/min_bandwidth": "10\n",
    "info/MB/num_closids": "8\n",
    "info/L3_MON/mon_features": "llc_occupancy\nmbm_total_bytes\n",
    "box/schemata": "    L3:0=f0;1=f\n    MB:0=20;1=70\n",
    "box/mon_data/mon_L3_00/llc_occupancy": "1024\n",
    "box/mon_data/mon_L3_00/mbm_total_bytes": "Unavailable\n",
    "box/mon_data/mon_L3_01/llc_occupancy": "0\n",
    "box/mon_data/mon_L3_01/mbm_total_bytes": "77\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_all_that_a_group_may_use_and_has_used(root: Path) -> None:
    assert statistics(str(root), f"{root}/box", "") == {
        "l3_cache_info": {"cbm_mask": "fff", "min_cbm_bits": 2, "num_closids": 16},
        "l3_cache_schema_root": "L3:0=fff;1=fff",
        "l3_cache_schema": "L3:0=f0;1=f",
        "mem_bw_info": {"bandwidth_gran": 10, "delay_linear": 1, "min_bandwidth": 10, "num_closids": 8},
        "mem_bw_schema_root": "MB:0=100;1=100",
        "mem_bw_schema": "MB:0=20;1=70",
        "schemata": ["L3:0=f0;1=f", "    MB:0=20;1=70"],
        "mbm_stats": [
            {"mbm_total_bytes": 0, "mbm_local_bytes": 0},
            {"mbm_total_bytes": 77, "mbm_local_bytes": 0},
        ],
        "cmt_stats": [{"llc_occupancy": 1024}, {"llc_occupancy": 0}],
    }


def test_a_processor_without_a_feature_has_no_keys_for_it(root: Path) -> None:
    for name in FILES:
        if name.startswith("info/"):
            (root / name).unlink()
    for name in ("L3", "MB", "L3_MON"):
        (root / "info" / name).rmdir()
    assert list(statistics(str(root), f"{root}/box", "")) == ["schemata"]
