"""The walker: holds a JSON value against the table that describes it and reports everything that is wrong.

A table is data.  A *kind* is a pair `(check, argument)`; a check takes a value and that argument and returns the
problems, whose fields are relative to the value, so that a valid value costs no path.  A `Shape` describes an object:
the kinds of its members, which of them are required, the version of the specification that brought them, and a rule
over the whole object, which runs only once every member is well-formed.  Unknown members are ignored, as the
runtime-spec demands, but for known ones in another case (spec/spelling.py).
"""

from __future__ import annotations

from orlop.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Never, TypeAlias
    from typing import cast as cast

    Found: TypeAlias = list[Problem]
    Kind: TypeAlias = "tuple[Callable[[object, Never], Found], object]"
    Rule: TypeAlias = "Callable[[Never], Iterable[Problem]]"
else:

    def cast(_kind: str, value: object) -> object:
        return value


MISSING = "is required"


class Shape:
    """The description of an object.

    `required` maps a member to what is said when it is missing, `since` a member to the version that brought it (1.0
    otherwise), `source` names the section of the runtime-spec.
    """

    __slots__ = ("members", "required", "rule", "since", "source")

    def __init__(
        self,
        source: str,
        members: dict[str, Kind],
        *,
        required: Mapping[str, str] | None = None,
        since: Mapping[str, str] | None = None,
        rule: Rule | None = None,
    ) -> None:
        self.source = source
        self.members = members
        self.required = required or {}
        self.since = since or {}
        self.rule = rule


def under(name: str, problems: Iterable[Problem]) -> Found:
    """Return the problems with their fields put below `name`."""
    found = list(problems)
    for problem in found:
        joint = "" if problem.field[:1] in ("", "[") else "."
        problem.field = name + joint + problem.field
    return found


def say(message: str) -> Found:
    """Return one problem of the value itself."""
    return [Problem("", message)]


def mismatch(wanted: str, value: object) -> Found:
    """Return the problem of a value of the wrong JSON type."""
    names: dict[type, str] = {
        type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array",
        dict: "an object",
    }  # fmt: skip
    if type(value) is float and wanted == "an integer":
        return say(f"must be an integer, not {value}")
    return say(f"must be {wanted}, not {names.get(type(value), type(value).__name__)}")


# Containers


def check_object(value: object, shape: Shape) -> Found:
    """Check an object; a member that is null counts as absent, as for Go's decoder, and is taken out."""
    if type(value) is not dict:
        return mismatch("an object", value)
    members: dict[str, object] = value
    problems: Found = []
    nulls: list[str] = []
    strange: list[str] = []
    for name, member in members.items():
        kind = shape.members.get(name)
        if kind is None:
            strange.append(name)
            continue
        if member is None:
            nulls.append(name)
            continue
        found = kind[0](member, cast("Never", kind[1]))
        if found:
            problems += under(name, found)
    for name in nulls:
        del members[name]
    if strange:
        from orlop.spec.spelling import misspelt

        problems += misspelt(strange, shape)
    for name, message in shape.required.items():
        if name not in members:
            problems.append(Problem(name, message))
    if shape.rule is not None and not problems:
        problems.extend(shape.rule(cast("Never", members)))
    return problems


def check_array(value: object, argument: tuple[Kind, Rule | None]) -> Found:
    """Check an array: each item by the kind, then the whole by the rule."""
    if type(value) is not list:
        return mismatch("an array", value)
    (check, item_argument), rule = argument
    problems: Found = []
    for index, item in enumerate(value):
        found = check(item, cast("Never", item_argument))
        if found:
            problems += under(f"[{index}]", found)
    if rule is not None and not problems:
        problems.extend(rule(cast("Never", value)))
    return problems


def check_map(value: object, argument: tuple[Kind, Callable[[str], str | None] | None]) -> Found:
    """Check an object whose member names are data: each value by the kind, each name by the function."""
    if type(value) is not dict:
        return mismatch("an object", value)
    (check, item_argument), check_name = argument
    problems: Found = []
    for name, item in value.items():
        wrong = check_name(name) if check_name else None
        found = say(wrong) if wrong else check(item, cast("Never", item_argument))
        if found:
            problems += under(f'["{name}"]', found)
    return problems


def check_later(value: object, argument: tuple[str, str]) -> Found:
    """Check a rare object by the shape of that name in that module, which is only now imported."""
    module, name = argument
    shape: Shape = getattr(__import__(module, fromlist=[name]), name)
    return check_object(value, shape)


# Leaves


def check_boolean(value: object, _: None) -> Found:
    """Check true or false."""
    return [] if type(value) is bool else mismatch("a boolean", value)


def check_integer(value: object, limits: tuple[int, int]) -> Found:
    """Check a whole number within limits.  1.0 is none, as for Go."""
    if type(value) is not int:
        return mismatch("an integer", value)
    low, high = limits
    return [] if low <= value <= high else say(f"must be from {low} to {high}, not {value}")


def check_text(value: object, _: None) -> Found:
    """Check a string that the kernel never sees."""
    return [] if isinstance(value, str) else mismatch("a string", value)


def check_string(value: object, _: None) -> Found:
    """Check a string that ends up in a system call, and so cannot hold a NUL."""
    if not isinstance(value, str):
        return mismatch("a string", value)
    return say("contains a NUL character") if "\0" in value else []


def check_strings(value: object, _: None) -> Found:
    """Check an array of strings; the joining of hundreds of them is done in C."""
    if type(value) is list:
        try:
            if "\0" not in "".join(value):
                return []
        except TypeError:
            pass
    return check_array(value, (STRING, None))


def check_word(value: object, argument: tuple[tuple[str, ...], str]) -> Found:
    """Check a string out of a list.  In the message `%s` stands for the string."""
    words, message = argument
    if not isinstance(value, str):
        return mismatch("a string", value)
    return [] if value in words else [Problem("", message % value, f"known: {' '.join(filter(None, words))}")]


def check_path(value: object, argument: tuple[str, str]) -> Found:
    """Check an absolute path; the argument says what to report of an empty and of a relative one."""
    if value == "":
        return say(argument[0])
    if isinstance(value, str) and value[0] != "/":
        return say(argument[1])
    return check_string(value, None)


# The kinds without an argument of their own

BOOL: Kind = (check_boolean, None)
TEXT: Kind = (check_text, None)
STRING: Kind = (check_string, None)
STRINGS: Kind = (check_strings, None)
ABSOLUTE: Kind = (check_path, ("must not be empty", "must be an absolute path"))
INT64: Kind = (check_integer, (-(2**63), 2**63 - 1))
UINT64: Kind = (check_integer, (0, 2**64 - 1))
INT32: Kind = (check_integer, (-(2**31), 2**31 - 1))
UINT32: Kind = (check_integer, (0, 2**32 - 1))
UINT16: Kind = (check_integer, (0, 2**16 - 1))


def between(low: int, high: int) -> Kind:
    """Return the kind of an integer from `low` to `high`."""
    return check_integer, (low, high)


def word(words: tuple[str, ...], message: str = '"%s" is unknown') -> Kind:
    """Return the kind of a string out of `words`."""
    return check_word, (words, message)


def array(kind: Kind, rule: Rule | None = None) -> Kind:
    """Return the kind of an array of `kind`."""
    return check_array, (kind, rule)


def mapping(kind: Kind, name: Callable[[str], str | None] | None = None) -> Kind:
    """Return the kind of an object with free member names; `name` says what is wrong with one."""
    return check_map, (kind, name)


def nested(shape: Shape) -> Kind:
    """Return the kind of an object of that shape."""
    return check_object, shape


def later(module: str, name: str) -> Kind:
    """Return the kind of an object whose shape is imported when first met."""
    return check_later, (f"orlop.spec.{module}", name)
