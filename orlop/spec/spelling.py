"""The names of members in any case, as Go's decoder takes them.

Only for what people and engines hand to `update --resources`: there runc is forgiving, and older engines rely on it.
A config.json is read strictly: its names are the runtime-spec's own.
"""

from __future__ import annotations

from orlop.spec.walk import Shape, cast, check_array, check_map, check_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.walk import Kind


def spelled(value: object, shape: Shape) -> object:
    """Return the document with the names that `shape` gives its members; the exact one wins, others stay."""
    if type(value) is not dict:
        return value
    members: dict[str, object] = value
    proper = {name.lower(): name for name in shape.members}
    result: dict[str, object] = {}
    for given, member in members.items():
        name = proper.get(given.lower(), given)
        if name != given and name in members:
            continue
        kind = shape.members.get(name)
        result[name] = _below(member, kind) if kind else member
    return result


def _below(value: object, kind: Kind) -> object:
    check, argument = kind
    if check is check_object:
        return spelled(value, cast("Shape", argument))
    if check is check_array and type(value) is list:
        item, _ = cast("tuple[Kind, object]", argument)
        return [_below(each, item) for each in cast("list[object]", value)]
    if check is check_map and type(value) is dict:  # its names are data
        item, _ = cast("tuple[Kind, object]", argument)
        return {name: _below(each, item) for name, each in cast("dict[str, object]", value).items()}
    return value
