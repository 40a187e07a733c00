"""The table as flat rows, for the documentation and for tests; the walker works on the nested form."""

from __future__ import annotations

from orlop.spec.fields import CONFIG
from orlop.spec.walk import Shape, cast, check_array, check_later, check_map, check_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.walk import Kind


class Row:
    """One field: its path (`mounts[].destination`, `linux.sysctl{}`), kind, version of arrival and section."""

    __slots__ = ("kind", "path", "required", "since", "source")

    def __init__(self, path: str, kind: Kind, *, required: bool, since: str, source: str) -> None:
        self.path = path
        self.kind = kind
        self.required = required
        self.since = since
        self.source = source

    @property
    def name(self) -> str:
        """The name of the kind: `object`, `array`, `map`, `integer`, `string` …"""
        name = self.kind[0].__name__.removeprefix("_").removeprefix("check_")
        return "object" if name == "later" else name

    def __repr__(self) -> str:
        return f"<{self.path}: {self.name}>"


def rows(shape: Shape = CONFIG, path: str = "", since: str = "1.0") -> Iterator[Row]:
    """Yield every field of an object and of all below it, each object before its members."""
    for name, kind in shape.members.items():
        arrival = shape.since.get(name, since)
        member = f"{path}.{name}" if path else name
        yield Row(member, kind, required=name in shape.required, since=arrival, source=shape.source)
        yield from _below(kind, member, arrival, shape.source)


def _below(kind: Kind, path: str, since: str, source: str) -> Iterator[Row]:
    check, argument = kind
    if check is check_object:
        yield from rows(cast("Shape", argument), path, since)
    elif check is check_later:
        module, name = cast("tuple[str, str]", argument)
        yield from rows(getattr(__import__(module, fromlist=[name]), name), path, since)
    elif check in (check_array, check_map):
        item, _ = cast("tuple[Kind, object]", argument)
        below = path + ("[]" if check is check_array else "{}")
        if item[0] not in (check_object, check_later):
            yield Row(below, item, required=False, since=since, source=source)
        yield from _below(item, below, since, source)
