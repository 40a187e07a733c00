"""Remedies that follow from what stands in the config: the value as it should be written, the word that was meant."""

from __future__ import annotations

import json
import re

from orlop.check.fields import nearest
from orlop.check.told import ADDITIONS, REMEDIES
from orlop.spec.walk import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.check.finding import Finding

CONFIG = "config.json"
_ANYTHING = "correct the text there; `orlop spec` writes a config that is right"
_KNOWN = "known: "
_TYPE = re.compile(r"must be (an object|an array|a string|an integer|a boolean), not ")
_EXAMPLES = {
    "an object": "an object, in braces",
    "an array": "an array, in brackets",
    "a string": "text, in quotes",
    "an integer": "a whole number, without quotes",
    "a boolean": "true or false, without quotes",
}
_SIZE = re.compile(r"([0-9]+) ?([kmgt]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def complete(finding: Finding) -> None:
    """Add the remedy to a finding that has none, or the likeliest word to one that lists those that there are."""
    value, hint = finding.value, finding.hint
    if hint and hint.startswith(_KNOWN) and isinstance(value, str):
        words = hint.removeprefix(_KNOWN).split()
        meant = nearest(value, words) or _end(value, words)
        if meant and meant != value:
            finding.hint = f'did you mean "{meant}"? {hint}'
    elif not hint:
        finding.hint = _of_the_value(finding) or _of_the_message(finding)


def _of_the_value(finding: Finding) -> str | None:
    for beginning, remedy in _REMEDIES:
        if finding.message.startswith(beginning):
            return remedy(finding.value)
    return None


def _of_the_message(finding: Finding) -> str | None:
    field, message = finding.field, finding.message
    if finding.value in (..., None):  # null counts as absent
        for end, addition in ADDITIONS.items():
            if field == end or field.endswith(f".{end}"):
                return addition
    if message == MISSING:
        return f'add "{field.rpartition(".")[2]}"'
    if message.startswith("must be from "):
        return message.partition(",")[0].replace("must be", "write a number")
    for words, remedy in REMEDIES:
        if words in message:
            return remedy.replace("{value}", str(finding.value))
    wanted = _TYPE.match(message)
    if wanted:
        return f"write {_EXAMPLES[wanted[1]]}"
    return _ANYTHING if field == CONFIG else None


def _end(value: str, words: list[str]) -> str | None:
    """NOFILE for RLIMIT_NOFILE, net for network."""
    upper, lower = f"_{value.upper()}", value.lower()
    likely = [word for word in words if value and (word.endswith(upper) or word.startswith(lower))]
    return likely[0] if len(likely) == 1 else None


def _integer(value: object) -> str | None:
    if isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return f"write {int(found[1]) * 1024 ** _POWERS[found[2].lower()]}, without quotes" if found else None


def _page_size(value: object) -> str | None:
    text = value.upper() if isinstance(value, str) else ""
    size = re.fullmatch(r"([1-9][0-9]*)([KMG])(?:I?B)?", text)
    return f'write "{size[1]}{size[2]}B"' if size else None


def _absolute(value: object) -> str | None:
    return f'write "/{value}"' if isinstance(value, str) and value[:1] not in (".", "") else None


def _array(value: object) -> str | None:
    return f"write {json.dumps(value.split() or [value])}" if isinstance(value, str) else None


def _string(value: object) -> str | None:
    return f'write "{value}"' if type(value) in (int, float) else None


def _boolean(value: object) -> str | None:
    text = str(value).lower()
    return f"write {text}, without quotes" if text in ("true", "false") else None


_REMEDIES: tuple[tuple[str, Callable[[object], str | None]], ...] = (
    ("must be like 64KB", _page_size),
    ("must be an absolute path", _absolute),
    ("must be an integer", _integer),
    ("must be an array", _array),
    ("must be a string", _string),
    ("must be a boolean", _boolean),
    ("invalid environment variable: missing", lambda _: "write NAME=VALUE, or NAME= for an empty value"),
)
