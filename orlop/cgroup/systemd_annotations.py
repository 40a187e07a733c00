"""Annotations `org.systemd.property.NAME`: any property of the unit, with a value as GVariant writes it as text.

    true   -5   uint64 30   1.5   'text'   ['a', 'b']   ('a', 1)   @as []   b'bytes'

(GLib, "GVariant Text Format"; maybes and dictionaries are no values of properties of units.)
"""

from __future__ import annotations

from orlop.errors import ConfigError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orlop.host.dbus_wire import Value
    from orlop.host.systemd import Property

PREFIX = "org.systemd.property."

_WORDS = {
    "boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "uint32": "u", "int64": "x",
    "uint64": "t", "double": "d", "string": "s", "objectpath": "o", "signature": "g",
}  # fmt: skip
_BOUNDS = {"y": (0, 8), "n": (1, 15), "q": (0, 16), "i": (1, 31), "u": (0, 32), "x": (1, 63), "t": (0, 64)}
_DEEPEST = 64  # of arrays and structs in each other (D-Bus specification, "Valid Signatures")
_LONGEST = 255  # of a signature
_NO_VALUES = frozenset("vh{")  # types of which nothing here is a value
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_PLAIN = frozenset("+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def annotated(annotations: Mapping[str, str]) -> list[Property]:
    """Return the properties that the annotations of a config ask for.  Raises ConfigError."""
    found = []
    problems = []
    for key, text in annotations.items():
        if not key.startswith(PREFIX):
            continue
        try:
            found.append(_property(key, key[len(PREFIX) :], text))
        except _Bad as bad:
            problems.append(Problem("annotations", str(bad)))
    if problems:
        raise ConfigError(problems)
    return found


class _Bad(ValueError):
    pass


def _property(key: str, name: str, text: str) -> Property:
    if len(name) < 3:
        raise _Bad(f"annotation {key} name incorrect: too short")
    if not (name.isascii() and name.isalpha()):
        raise _Bad(f"annotation {key} name incorrect: contains non-alphabetic character")
    try:
        signature, value = parse(text)
        if name.endswith("Sec") and name[-4].islower():
            # Unit files have seconds, D-Bus has microseconds.
            if not isinstance(value, int | float) or signature == "b":
                raise _Bad("not a number")
            if not 0 <= value * 1_000_000 < 1 << 64:
                raise _Bad("out of range")
            name, signature, value = name[:-3] + "USec", "t", int(value * 1_000_000)
    except _Bad as bad:
        raise _Bad(f"annotation {key}={text} value parse error: {bad}") from None
    return name, signature, value


def parse(text: str) -> tuple[str, Value]:
    """Return the signature and the value of a text.  Raises ValueError."""
    reader = _Text(text)
    found = reader.value(None)
    reader.space()
    if reader.at != len(text):
        raise _Bad(f'unexpected "{text[reader.at :]}"')
    return found


class _Text:
    __slots__ = ("at", "depth", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def space(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def _take(self, what: str) -> bool:
        self.space()
        if self.text.startswith(what, self.at):
            self.at += len(what)
            return True
        return False

    def value(self, wanted: str | None) -> tuple[str, Value]:
        """Read a value of a signature that is known, or of any."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Bad("it is nested too deep")
        found = self._value(wanted)
        self.depth -= 1
        return found

    def _value(self, wanted: str | None) -> tuple[str, Value]:
        self.space()
        letter = self.text[self.at : self.at + 1]
        if not letter:
            raise _Bad("it is empty" if not self.text.strip() else "it is cut off")
        if letter == "@":
            end = self.at + 1
            while end < len(self.text) and not self.text[end].isspace():
                end += 1
            kind, self.at = self.text[self.at + 1 : end], end
            return self._typed(wanted, kind)
        if letter in "'\"":
            return self._as(wanted, "s", self._quoted())
        if letter == "[":
            return self._array(wanted)
        if letter == "(":
            return self._tuple(wanted)
        if letter == "b" and self.text[self.at + 1 : self.at + 2] in ("'", '"'):
            self.at += 1
            return self._as(wanted, "ay", self._quoted().encode() + b"\0")
        return self._word(wanted)

    def _typed(self, wanted: str | None, kind: str) -> tuple[str, Value]:
        """Read a value behind the name of its type."""
        from orlop.host.dbus_wire import WireError, split

        try:
            known = len(kind) <= _LONGEST and _NO_VALUES.isdisjoint(kind) and len(split(kind)) == 1
        except WireError:
            known = False
        if not known:
            raise _Bad(f'bad type "{kind}"')
        if wanted not in (None, kind):
            raise _Bad(f"a value of type {kind} is not of type {wanted}")
        return self.value(kind)

    def _word(self, wanted: str | None) -> tuple[str, Value]:
        start = self.at
        while self.text[self.at : self.at + 1] in _PLAIN and self.at < len(self.text):
            self.at += 1
        word = self.text[start : self.at]
        if word in _WORDS:
            return self._typed(wanted, _WORDS[word])
        if word in ("true", "false"):
            return self._as(wanted, "b", word == "true")
        try:
            return self._as(wanted, "i", int(word, 0))
        except ValueError:
            pass
        try:
            return self._as(wanted, "d", float(word))
        except ValueError:
            raise _Bad(f'unexpected "{self.text[start:]}"') from None

    def _as(self, wanted: str | None, natural: str, value: Value) -> tuple[str, Value]:
        """Check a value against the signature that it must have."""
        kind = wanted or natural
        fits = kind == natural or (natural == "s" and kind in "og") or (natural == "i" and kind in (*_BOUNDS, "d"))
        if not fits:
            raise _Bad(f"{value!r} is not of type {kind}")
        if kind in _BOUNDS and isinstance(value, int):
            signed, bits = _BOUNDS[kind]
            if not -(signed << bits) <= value < 1 << bits:
                raise _Bad(f"{value} is out of range")
        try:
            return kind, float(value) if kind == "d" and isinstance(value, int) else value
        except OverflowError:
            raise _Bad(f"{value!r} is out of range") from None

    def _array(self, wanted: str | None) -> tuple[str, Value]:
        self._take("[")
        if wanted is not None and wanted[:1] != "a":
            raise _Bad(f"an array is not of type {wanted}")
        element = wanted[1:] if wanted else None
        values: list[Value] = []
        while not self._take("]"):
            if values and not self._take(","):
                raise _Bad('expected "," or "]"')
            element, value = self.value(element)
            values.append(value)
        if element is None:
            raise _Bad("an empty array needs its type: @as []")
        return "a" + element, values

    def _tuple(self, wanted: str | None) -> tuple[str, Value]:
        from orlop.host.dbus_wire import WireError, split

        self._take("(")
        try:
            elements = split(wanted[1:-1]) if wanted else []
        except WireError as error:
            raise _Bad(str(error)) from None
        kinds: list[str] = []
        values: list[Value] = []
        while not self._take(")"):
            if values and not self._take(","):
                raise _Bad('expected "," or ")"')
            if values and self._take(")"):
                break
            kind, value = self.value(elements[len(values)] if len(values) < len(elements) else None)
            kinds.append(kind)
            values.append(value)
        found = f"({''.join(kinds)})"
        if not values or (wanted and found != wanted):
            raise _Bad(f"{found} is not of type {wanted or '(…)'}")
        return found, tuple(values)

    def _quoted(self) -> str:
        quote = self.text[self.at]
        found = []
        self.at += 1
        while (letter := self.text[self.at : self.at + 1]) != quote:
            if not letter:
                raise _Bad("a text has no end")
            if letter == "\0":
                raise _Bad("a text holds a null character")
            self.at += 1
            found.append(self._escaped() if letter == "\\" else letter)
        self.at += 1
        return "".join(found)

    def _escaped(self) -> str:
        letter = self.text[self.at : self.at + 1]
        self.at += 1
        width = {"u": 4, "U": 8}.get(letter)
        if width is None:
            return _ESCAPES.get(letter, letter)
        digits = self.text[self.at : self.at + width]
        self.at += width
        try:
            found = chr(int(digits, 16))
            found.encode()  # which half of a surrogate pair cannot be
        except (ValueError, OverflowError):
            found = "\0"
        if found == "\0":
            raise _Bad(f"bad escape \\{letter}{digits}")
        return found
