"""Where in a JSON text the things are that the scanner's hooks refuse; read only when an error is reported."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Yield offset and text of each string and of each character or word outside of strings."""
    position = 0
    while position < len(text):
        start = position
        if text[start] == '"':
            position = _end_of_string(text, start)
        elif text[start] in "{}[]:,":
            position += 1
        else:
            while position < len(text) and text[position] not in '{}[]:," \t\r\n':
                position += 1
        if position == start:  # a blank
            position += 1
        else:
            yield start, text[start:position]


def _end_of_string(text: str, start: int) -> int:
    position = start + 1
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    return position + 1


def duplicate(text: str, name: str) -> int:
    """Return the offset of the first second member called `name` in an object."""
    from json import loads

    seen: list[bool] = []  # for each object and array that is open here
    before = (0, "")
    for offset, token in _tokens(text):
        if token in ("{", "["):
            seen.append(False)
        elif token in ("}", "]"):
            seen.pop()
        elif token == ":" and loads(before[1]) == name:
            if seen[-1]:
                return before[0]
            seen[-1] = True
        before = offset, token
    return 0


def number(text: str, word: str) -> int:
    """Return the offset of `word` (`NaN`, `1e999`) outside of strings."""
    return next((offset for offset, token in _tokens(text) if token == word), 0)
