"""JSON without the `json` package: its C scanner and encoder, used directly.

`import json` costs more than the whole check of a config, because it pulls in `re` and `enum`; its C parts cost
nothing.  `json.decoder` is imported only to report an error.  What `json` would let pass and a config must not contain
is refused here: a member named twice (runtime-spec, glossary), NaN and Infinity, bytes that are not UTF-8.
"""

from __future__ import annotations

from orlop.errors import ConfigError, OrlopError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BLANK = " \t\n\r"
_NO_VALUE = "a value is missing"


class _Duplicate(ValueError):
    """A member that its object has twice; the argument is its name."""


class _NotANumber(ValueError):
    """NaN, an Infinity, or a number too large for any type; the argument is the word."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Duplicate(next(name for name in names if names.count(name) > 1))
    return members


def _constant(word: str) -> object:
    raise _NotANumber(word)


def _float(word: str) -> float:
    number = float(word)
    if number in (float("inf"), float("-inf")):
        raise _NotANumber(word)
    return number


class _Context:
    """What the C scanner asks its maker for."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_object)
    parse_float = staticmethod(_float)
    parse_int = int
    parse_constant = staticmethod(_constant)


def parse(data: bytes, what: str) -> object:
    """Return the JSON document in `data`; `what` is the name that errors give it (`config.json`).

    Raises ConfigError with line and column.  Source: RFC 8259, runtime-spec 1.3 glossary.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _refusal(what, data[: error.start].decode(), error.start, f"not UTF-8: {error.reason}") from None
    if text[:1] == "\ufeff":
        hint = "save it as UTF-8 without a byte order mark"
        raise ConfigError([Problem(what, "begins with a byte order mark", hint)])
    start = len(text) - len(text.lstrip(_BLANK))
    if start == len(text):
        raise ConfigError([Problem(what, "is empty")])
    try:
        value, end = _scan(text, start)
    except StopIteration as stop:
        raise _refusal(what, text, stop.value, _NO_VALUE) from None
    except RecursionError:
        raise ConfigError([Problem(what, "is nested too deeply")]) from None
    except ValueError as error:
        raise _explained(what, text, error) from None
    rest = text[end:].lstrip(_BLANK)
    if rest:
        raise _refusal(what, text, len(text) - len(rest), "more text after the end of the document")
    if "\\ud" in text or "\\uD" in text:
        _refuse_lone_surrogates(value, what)
    return value


def dump(value: object, indent: str | None = None) -> str:
    """Return `value` as JSON: one line without blanks, or a line a member, each level indented by `indent`.

    Text that is not ASCII is kept.  No newline at the end.  Raises TypeError for what JSON cannot hold.
    """
    try:
        if indent is None:
            return "".join(_encoder()(value, 0))
        pieces: list[str] = []
        _write(value, "\n", indent, pieces.append)
        return "".join(pieces)
    except RecursionError:
        raise OrlopError("the document is nested too deeply to be written") from None


def _scan(text: str, start: int) -> tuple[object, int]:
    """Scan, and once more where CPython 3.11 fails to say what is wrong: it only looks its error class up in
    `json.decoder`, and raises nothing when nobody has imported that."""
    try:
        return _scanner()(text, start)
    except SystemError:
        import json.decoder  # noqa: F401

        return _scanner()(text, start)


def _scanner() -> Callable[[str, int], tuple[object, int]]:
    try:
        from _json import make_scanner
    except ImportError:
        from json import JSONDecoder

        decoder = JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)
        return decoder.scan_once  # type: ignore[attr-defined,no-any-return]
    return make_scanner(_Context)  # type: ignore[arg-type]


def _encoder() -> Callable[[object, int], tuple[str, ...]]:
    try:
        from _json import make_encoder
    except ImportError:
        from json import dumps

        return lambda value, _: (dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")),)
    return make_encoder(None, _unwritable, _quote(), None, ":", ",", False, False, False)


def _quote() -> Callable[[str], str]:
    try:
        from _json import encode_basestring
    except ImportError:
        from json.encoder import py_encode_basestring as encode_basestring
    return encode_basestring


def _unwritable(value: object) -> object:
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _write(value: object, line: str, indent: str, put: Callable[[str], None]) -> None:
    """Put the pieces of `value`; `line` is a newline and the indentation that `value` itself has."""
    inner = line + indent
    separator = inner
    if isinstance(value, dict) and value:
        quote = _quote()
        put("{")
        for name, member in value.items():
            put(f"{separator}{quote(name)}: ")
            _write(member, inner, indent, put)
            separator = "," + inner
        put(line + "}")
    elif isinstance(value, (list, tuple)) and value:
        put("[")
        for item in value:
            put(separator)
            _write(item, inner, indent, put)
            separator = "," + inner
        put(line + "]")
    else:
        put(dump(value))


def _refusal(what: str, text: str, offset: int, reason: str) -> ConfigError:
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return ConfigError([Problem(what, f"line {line} column {column}: {reason}")])


def _explained(what: str, text: str, error: ValueError) -> ConfigError:
    """Turn an error of the scanner, or of one of the hooks above, into one with a position."""
    if isinstance(error, (_Duplicate, _NotANumber)):
        from orlop.spec.json_position import duplicate, number

        word = str(error.args[0])
        if isinstance(error, _Duplicate):
            return _refusal(what, text, duplicate(text, word), f'member "{word}" is there twice')
        return _refusal(what, text, number(text, word), f"{word} is not a number that JSON knows")
    position = getattr(error, "pos", None)
    if position is None:  # int() of thousands of digits
        return ConfigError([Problem(what, f"a number is too long: {error}")])
    reason = str(getattr(error, "msg", error))
    if reason == "Expecting value":
        reason = _NO_VALUE
    return _refusal(what, text, position, reason[:1].lower() + reason[1:])


def _refuse_lone_surrogates(value: object, what: str) -> None:
    """Refuse `"\\ud800"`: half a character, which no path and no argument can carry."""
    try:
        dump(value).encode()
    except UnicodeEncodeError:
        raise ConfigError([Problem(what, "a string contains half of a surrogate pair")]) from None
