"""What a group of the resctrl file system may use and has used, in the keys of runc's events."""

from __future__ import annotations

from orlop import system as os
from orlop.host.mountinfo import read

# Key, file, and whether it is a number: what the processor can do.
_CACHE = (("cbm_mask", False), ("min_cbm_bits", True), ("num_closids", True))
_BANDWIDTH = (("bandwidth_gran", True), ("delay_linear", True), ("min_bandwidth", True), ("num_closids", True))
# The resource, its prefix in the keys and the key of what it can do, and the files of that.
_RESOURCES = (("L3", "l3_cache", "l3_cache_info", _CACHE), ("MB", "mem_bw", "mem_bw_info", _BANDWIDTH))
_COUNTERS = (("mbm_stats", ("mbm_total_bytes", "mbm_local_bytes")), ("cmt_stats", ("llc_occupancy",)))


def statistics(root: str, path: str, monitor: str) -> dict[str, object]:
    """Read the group `path`, and what is counted for `monitor`, or for the group where that is empty.

    `root` is where resctrl is mounted.  A feature that the processor lacks has no keys.  Raises OSError.
    """
    schemata, top = (read(f"{where}/schemata").strip().split("\n") for where in (path, root))
    found: dict[str, object] = {}
    for resource, prefix, key, rows in _RESOURCES:
        info = _info(f"{root}/info/{resource}", rows)
        if info is None:
            continue
        values = (info, _last(top, resource), _last(schemata, resource))
        names = (key, f"{prefix}_schema_root", f"{prefix}_schema")
        found |= {name: value for name, value in zip(names, values, strict=True) if value or value == info}
    found["schemata"] = schemata
    return found | _counters(root, monitor or path)


def _info(directory: str, rows: tuple[tuple[str, bool], ...]) -> dict[str, object] | None:
    if not os.path.isdir(directory):
        return None
    found: dict[str, object] = {}
    for name, is_number in rows:
        text = read(f"{directory}/{name}").strip()
        value: object = int(text) if is_number else text
        if value:
            found[name] = value
    return found


def _last(lines: list[str], resource: str) -> str:
    """The line of a resource; also of L3CODE and L3DATA, where code and data are apart."""
    return next((line.strip() for line in reversed(lines) if resource in line), "")


def _counters(root: str, directory: str) -> dict[str, object]:
    try:
        features = read(f"{root}/info/L3_MON/mon_features").split()
    except FileNotFoundError:
        return {}
    domains = sorted(entry.path for entry in os.scandir(f"{directory}/mon_data") if entry.is_dir())
    found: dict[str, object] = {}
    for key, names in _COUNTERS:
        if not set(names).isdisjoint(features):
            found[key] = [
                {name: _count(f"{domain}/{name}") if name in features else 0 for name in names} for domain in domains
            ]
    return found


def _count(path: str) -> int:
    """A counter, 0 where the hardware says "Unavailable" for the moment."""
    text = read(path).strip()
    return int(text) if text.isdigit() else 0
