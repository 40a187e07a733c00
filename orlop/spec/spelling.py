"""The names of members in any case, as Go's decoder takes them, and so runc.

A name in another case must not be ignored: with it a limit or a protection would be lost that runc applies.  The
walker says that it is misspelt; where runc is forgiving, the document is written anew, with the names of the spec.
"""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.walk import Shape, cast, check_array, check_later, check_map, check_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orlop.errors import ConfigError
    from orlop.spec.walk import Found, Kind


class Misspelt(Problem):
    """A member whose name is known in another case."""

    __slots__ = ()


def misspelt(names: Iterable[str], shape: Shape) -> Found:
    """Return those of the names that mean a member of the shape."""
    proper = {name.lower(): name for name in shape.members}
    meant = ((name, proper.get(name.lower())) for name in names)
    return [Misspelt(name, f'must be written "{other}"') for name, other in meant if other]


def corrected(data: bytes, error: ConfigError) -> bytes | None:
    """Return the text of a config with the names of the runtime-spec, if the error tells of others."""
    if not any(isinstance(problem, Misspelt) for problem in error.problems):
        return None
    from orlop.spec.fields import CONFIG
    from orlop.spec.json import dump, parse
    from orlop.spec.load import is_predraft
    from orlop.spec.predraft_fields import PREDRAFT

    document = parse(data, "config.json")
    return dump(spelled(document, PREDRAFT if is_predraft(document) else CONFIG)).encode("utf-8", "surrogateescape")


def spelled(value: object, shape: Shape) -> object:
    """Return the document with the names that `shape` gives its members; unknown ones stay.

    A member that is null counts as absent.  One that is given twice, `cpu` and `CPU`, is read as Go reads it: the later
    one counts, but of two objects every member.
    """
    if type(value) is not dict:
        return value
    members: dict[str, object] = value
    proper = {name.lower(): name for name in shape.members}
    result: dict[str, object] = {}
    for given, member in members.items():
        name = proper.get(given.lower(), given)
        kind = shape.members.get(name)
        if kind is None:
            result[name] = member
        elif member is not None:
            result[name] = _both(result.get(name), _below(member, kind))
    return result


def _both(earlier: object, later: object) -> object:
    if type(earlier) is not dict or type(later) is not dict:
        return later
    first, second = cast("dict[str, object]", earlier), cast("dict[str, object]", later)
    return first | {name: _both(first.get(name), member) for name, member in second.items()}


def _below(value: object, kind: Kind) -> object:
    check, argument = kind
    if check is check_object:
        return spelled(value, cast("Shape", argument))
    if check is check_later:
        module, name = cast("tuple[str, str]", argument)
        return spelled(value, cast("Shape", getattr(__import__(module, fromlist=[name]), name)))
    if check is check_array and type(value) is list:
        item, _ = cast("tuple[Kind, object]", argument)
        return [_below(each, item) for each in cast("list[object]", value)]
    if check is check_map and type(value) is dict:  # its names are data
        item, _ = cast("tuple[Kind, object]", argument)
        return {name: _below(each, item) for name, each in cast("dict[str, object]", value).items()}
    return value
