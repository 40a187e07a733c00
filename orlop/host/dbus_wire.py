"""D-Bus messages as bytes (D-Bus specification, "Message Format"): little-endian, each value at its own alignment.

Values in Python: integers, booleans, text, lists for arrays, tuples for structs, bytes for `ay`, and for a variant a
pair (signature, value).  Dictionaries and descriptors are not needed here.
"""

from __future__ import annotations

from _struct import Struct
from _struct import error as struct_error  # type: ignore[attr-defined]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Value: TypeAlias = int | float | str | bytes | Sequence["Value"]

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, _SENDER, SIGNATURE = range(1, 9)
_FIELD_TYPES = {PATH: "o", REPLY_SERIAL: "u", SIGNATURE: "g"}  # the others are "s"

# size, which is the alignment too, and the format of struct
_FIXED = {
    "y": (1, Struct("<B")), "n": (2, Struct("<h")), "q": (2, Struct("<H")), "b": (4, Struct("<I")),
    "i": (4, Struct("<i")), "u": (4, Struct("<I")), "x": (8, Struct("<q")), "t": (8, Struct("<Q")),
    "d": (8, Struct("<d")),
}  # fmt: skip
_ALIGNMENT = {"s": 4, "o": 4, "a": 4, "g": 1, "v": 1, "(": 8, "{": 8}
HEAD = 16  # bytes of a message from which its size can be told
KIND = 1  # which of its bytes tells that of a message
LARGEST = 1 << 27  # of a message, by the specification


class WireError(ValueError):
    """Bytes that are no message, or a value that does not fit its signature."""


class Message:
    """A message that was received."""

    __slots__ = ("body", "fields", "kind", "serial")

    def __init__(self, kind: int, serial: int, fields: dict[int, Value], body: list[Value]) -> None:
        self.kind = kind
        self.serial = serial
        self.fields = fields
        self.body = body


def call(
    serial: int, fields: dict[int, str | int], signature: str = "", body: Sequence[Value] = (), kind: int = CALL
) -> bytes:
    """Return a message.  Raises WireError for a value that does not fit the signature."""
    data = bytearray()
    try:
        for one, value in zip(split(signature), body, strict=True):
            _put(data, one, value)
        header = bytearray()
        # The protocol's version is 1, the flags 0: a reply is wanted, and no service is to be started in vain.
        _put(header, "(yyyyuu)", (ord("l"), kind, 0, 1, len(data), serial))
        rows = [(code, (_FIELD_TYPES.get(code, "s"), value)) for code, value in fields.items()]
        if signature:
            rows.append((SIGNATURE, ("g", signature)))
        _put(header, "a(yv)", rows)
    except (struct_error, TypeError, ValueError) as error:
        raise WireError(f"{signature}: {error}") from None
    _pad(header, 8)
    return bytes(header + data)


def size(head: bytes) -> int:
    """Return the size of a message from its first 16 bytes.  Raises WireError."""
    if head[:1] != b"l":  # a bus passes on what its clients send, and on one machine they are all of one kind
        raise WireError(f"unexpected byte order {head[:1]!r}")
    body, fields = int.from_bytes(head[4:8], "little"), int.from_bytes(head[12:16], "little")
    whole = HEAD + fields + (-fields) % 8 + body
    if whole > LARGEST:
        raise WireError(f"a message of {whole} bytes")
    return whole


def parse(data: bytes) -> Message:
    """Return the message that `data` holds.  Raises WireError."""
    try:
        reader = _Reader(data)
        head = reader.get("(yyyyuu)")
        fields = {code: value[1] for code, value in reader.get("a(yv)")}  # type: ignore[union-attr, misc, index]
        reader.align(8)
        body = [reader.get(one) for one in split(str(fields.get(SIGNATURE, "")))]
    except (struct_error, IndexError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a message that cannot be read: {error}") from None
    return Message(head[1], head[5], fields, body)  # type: ignore[index, arg-type]


def split(signature: str) -> list[str]:
    """Return the single complete types of a signature.  Raises WireError."""
    found = []
    at = 0
    while at < len(signature):
        end = _end(signature, at)
        found.append(signature[at:end])
        at = end
    return found


def _end(signature: str, at: int) -> int:
    """Return where the complete type that begins at `at` ends."""
    letter = signature[at : at + 1]
    if letter == "a":
        return _end(signature, at + 1)
    if letter in ("(", "{"):
        close = ")" if letter == "(" else "}"
        at = _end(signature, at + 1)
        while signature[at : at + 1] != close:
            at = _end(signature, at)
        return at + 1
    if letter and letter in "ybnqiuxtdsogvh":
        return at + 1
    raise WireError(f"bad signature {signature}")


def _pad(data: bytearray, alignment: int) -> None:
    data += bytes(-len(data) % alignment)


def _put(data: bytearray, kind: str, value: Value) -> None:
    letter = kind[0]
    if letter in _FIXED:
        width, form = _FIXED[letter]
        _pad(data, width)
        data += form.pack(value)
    elif letter in "sog":
        text = str(value).encode()
        if letter != "g":
            _pad(data, 4)
        data += len(text).to_bytes(1 if letter == "g" else 4, "little") + text + b"\0"
    elif letter == "v":
        inner, content = value  # type: ignore[misc, str-unpack]
        _put(data, "g", inner)
        _put(data, str(inner), content)
    elif letter == "(":
        _pad(data, 8)
        for one, part in zip(split(kind[1:-1]), value, strict=True):  # type: ignore[arg-type]
            _put(data, one, part)
    else:
        _put_array(data, kind[1:], value)


def _put_array(data: bytearray, element: str, value: Value) -> None:
    _pad(data, 4)
    place = len(data)
    data += bytes(4)
    _pad(data, _alignment(element))  # which the size does not count
    start = len(data)
    if isinstance(value, bytes):
        data += value
    else:
        for part in value:  # type: ignore[union-attr]
            _put(data, element, part)
    data[place : place + 4] = (len(data) - start).to_bytes(4, "little")


def _alignment(kind: str) -> int:
    return _FIXED[kind[0]][0] if kind[0] in _FIXED else _ALIGNMENT[kind[0]]


class _Reader:
    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def align(self, alignment: int) -> None:
        self.at += -self.at % alignment

    def get(self, kind: str) -> Value:
        letter = kind[0]
        self.align(_alignment(kind))
        if letter in _FIXED:
            width, form = _FIXED[letter]
            self.at += width
            number: int = form.unpack_from(self.data, self.at - width)[0]
            return number
        if letter in "sog":
            length = self.get("y" if letter == "g" else "u")
            assert isinstance(length, int)
            self.at += length + 1
            if self.at > len(self.data):
                raise IndexError("the text is cut off")
            return self.data[self.at - length - 1 : self.at - 1].decode()
        if letter == "v":
            inner = str(self.get("g"))
            return inner, self.get(inner)
        if letter in "({":
            return tuple(self.get(one) for one in split(kind[1:-1]))
        return self._array(kind[1:])

    def _array(self, element: str) -> Value:
        length = self.get("u")
        assert isinstance(length, int)
        self.align(_alignment(element))
        end = self.at + length
        if end > len(self.data):
            raise IndexError("the array is cut off")
        found = []
        while self.at < end:
            found.append(self.get(element))
        return found
