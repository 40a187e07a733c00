"""The table of id maps, which user namespaces and idmapped mounts share."""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.walk import MISSING, UINT32, Shape, array, nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orlop.spec.types import IDMapping

# The kernel takes no more lines (user_namespaces(7)).
MOST_LINES = 340


def mapped(number: int, mappings: Sequence[IDMapping]) -> bool:
    """Tell whether an id of the container has one outside."""
    return any(line["containerID"] <= number < line["containerID"] + line["size"] for line in mappings)


def host_id(number: int, mappings: Sequence[IDMapping]) -> int | None:
    """Return the id that an id of the container has outside, if it has one."""
    for line in mappings:
        if line["containerID"] <= number < line["containerID"] + line["size"]:
            return line["hostID"] + number - line["containerID"]
    return None


def _mapping(line: IDMapping) -> Iterator[Problem]:
    if line["size"] == 0:
        yield Problem("size", "must not be 0")
    for start in ("containerID", "hostID"):
        if line[start] + line["size"] > 2**32:
            yield Problem("size", f"{start} {line[start]} and {line['size']} ids go beyond 32 bits")


def _mappings(lines: list[IDMapping]) -> Iterator[Problem]:
    if len(lines) > MOST_LINES:
        yield Problem("", f"has {len(lines)} lines, the kernel takes {MOST_LINES}")
    for start in ("containerID", "hostID"):
        ranges = sorted((line[start], line[start] + line["size"], index) for index, line in enumerate(lines))
        for (_, end, earlier), (begin, _, index) in zip(ranges, ranges[1:], strict=False):  # noqa: RUF007 - an import less
            if begin < end:
                yield Problem(f"[{index}].{start}", f"overlaps with [{earlier}]")


ID_MAPPINGS = array(
    nested(
        Shape(
            "config-linux.md#user-namespace-mappings",
            {"containerID": UINT32, "hostID": UINT32, "size": UINT32},
            required={"containerID": MISSING, "hostID": MISSING, "size": MISSING},
            rule=_mapping,
        )
    ),
    _mappings,
)
