"""What the field table says about places in a document: which row describes one, and which members no row describes."""

from __future__ import annotations

import difflib
import re

from orlop.check.finding import Finding, warning
from orlop.spec.fields import CONFIG
from orlop.spec.table import Row, rows
from orlop.spec.walk import Shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Sections for other platforms, which are no mistakes, and members that old tools still write.
_FOREIGN = {"": ("windows", "solaris", "vm", "zos", "freebsd"), "process": ("commandLine",)}
_STEP = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]|[^.\[\]]+')


class Table:
    """The rows of a format, by path."""

    def __init__(self, shape: Shape = CONFIG) -> None:
        self.rows: dict[str, Row] = {row.path: row for row in rows(shape)}
        self.members: dict[str, list[str]] = {}
        for path in self.rows:
            if not path.endswith(("[]", "{}")):
                parent, _, name = path.rpartition(".")
                self.members.setdefault(parent, []).append(name)

    def row(self, field: str) -> Row | None:
        """The row of a place such as `mounts[3].options[0]`, or of the closest one around it."""
        steps = [_general(step) for step in _STEP.findall(field)]
        while steps:
            path = "".join(step if step in ("[]", "{}") else f".{step}" for step in steps)[1:]
            for each in (path, _as_map(path)):
                if each in self.rows:
                    return self.rows[each]
            steps.pop()
        return None

    def why(self, field: str) -> str:
        """The section of the specification that a place belongs to."""
        row = self.row(field)
        if row is None:
            return "runtime-spec 1.3, config.md"
        return row.source if row.source.startswith("runc") else f"runtime-spec 1.3, {row.source}"

    def unknown(self, document: object, place: str = "", path: str = "") -> Iterator[Finding]:
        """The members that the format does not have, each with the name that was probably meant."""
        if isinstance(document, dict):
            free = f"{path}{{}}" in self.rows or f"{path}{{}}" in self.members
            names = self.members.get(path, [])
            for name, value in document.items():
                if free:
                    yield from self.unknown(value, f'{place}["{name}"]', f"{path}{{}}")
                elif name in names:
                    joint = "." if path else ""
                    yield from self.unknown(value, f"{place}{joint}{name}", f"{path}{joint}{name}")
                elif names and name not in _FOREIGN.get(path, ()):
                    yield _unknown(f"{place}.{name}" if place else name, name, names, self._elsewhere(name))
        elif isinstance(document, list):
            for index, value in enumerate(document):
                yield from self.unknown(value, f"{place}[{index}]", f"{path}[]")

    def _elsewhere(self, name: str) -> str | None:
        """Where a member of this name belongs, if there is only one place for it."""
        found = [path for path in self.rows if path.rpartition(".")[2] == name and "[]" not in path]
        return found[0] if len(found) == 1 else None

    def too_new(self, document: object, version: str, place: str = "", path: str = "") -> Iterator[Finding]:
        """Fields that came after the version which the config claims to be of."""
        row = self.rows.get(path)
        if row is not None and _number(row.since) > _number(version):
            message = f"came with version {row.since}, and ociVersion is {version}"
            hint = f"set ociVersion to {'.'.join([*row.since.split('.'), '0', '0'][:3])}: an older runtime ignores it"
            yield warning(place, message, why="runtime-spec, config.md#specification-version", hint=hint)
        elif isinstance(document, dict) and f"{path}{{}}" not in self.rows:
            joint = "." if path else ""
            for name, value in document.items():
                yield from self.too_new(value, version, f"{place}{joint}{name}", f"{path}{joint}{name}")
        elif isinstance(document, list):
            for index, value in enumerate(document):
                yield from self.too_new(value, version, f"{place}[{index}]", f"{path}[]")


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant, if any is close, whatever the case of its letters."""
    by_lower = {each.lower(): each for each in words}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[close[0]] if close else None


def value_at(document: object, field: str) -> object:
    """What is at a place of a document; Ellipsis where nothing is."""
    for step in _STEP.findall(field):
        if step.startswith('["'):
            step = step[2:-2]
        if isinstance(document, list) and step[:1] == "[" and int(step[1:-1]) < len(document):
            document = document[int(step[1:-1])]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return ...
    return document


def _unknown(field: str, name: str, names: list[str], elsewhere: str | None) -> Finding:
    near = nearest(name, names)
    if near is not None and near.lower() == name.lower():
        message = f'"{name}" is unknown to the runtime-spec, though runc and orlop take it'
    else:
        message = f'"{name}" is unknown and has no effect'
    hint = f'did you mean "{near}"?' if near else f"known here: {' '.join(names)}"
    if elsewhere:
        hint = f"it belongs at {elsewhere}"
    return warning(field, message, why="runtime-spec, config.md#extensibility", hint=hint)


def _general(step: str) -> str:
    return "{}" if step.startswith('["') else "[]" if step[0] == "[" else step


def _as_map(path: str) -> str:
    """The same path where the last step is a name in a map: `annotations.x` is `annotations{}`."""
    return path.rpartition(".")[0] + "{}"


def _number(version: str) -> tuple[int, ...]:
    core = re.match(r"\d+(?:\.\d+)*", version)
    parts = [int(part) for part in core.group().split(".")] if core else []
    return tuple([*parts, 0, 0, 0][:3])
