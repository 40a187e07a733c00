"""How the files that hold statistics are written, and read.

A `Source` is one value of one file.  Files are read once for each look at a cgroup, whatever number of values they
give.  A file that is not there gives nothing: an older kernel, or a controller that is not enabled.
"""

from __future__ import annotations

import errno

from orlop.cgroup import files
from orlop.errors import CgroupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Text = Callable[[str], str | None]  # the content of a file of the cgroup, None where it has none

UNLIMITED = 2**64 - 1
"""What "max" is as a number: 2^64 - 1."""

# Also: pressure files when the kernel was not started with psi=1, which open and then refuse to be read.
_ABSENT = (*files.GONE, errno.EOPNOTSUPP, errno.EINVAL)


class Source:
    """Where a value is: files of which the first that has it counts, and how it is read from their text."""

    __slots__ = ("names", "parse")

    def __init__(self, parse: Callable[[str], object], *names: str) -> None:
        self.parse = parse
        self.names = names

    def look(self, text: Text) -> object:
        """The value; None where no file has it.  Raises CgroupError for what cannot be understood."""
        for name in self.names:
            content = text(name)
            if content is None:
                continue
            try:
                value = self.parse(content)
            except (ValueError, IndexError):
                raise CgroupError(errno.EINVAL, f"cannot understand the cgroup file {name}: {content!r}") from None
            if value is not None and value != []:
                return value
        return None


class Reader:
    """The files of one cgroup, as they are at one moment.

    `directories` is controller to directory on version 1, {"": directory} on version 2; the part of a file's name
    before its first dot is its controller.  `copies`, by path, stand for files that are not there any more.
    """

    __slots__ = ("_copies", "_directories", "_read", "lenient")

    def __init__(
        self, directories: Mapping[str, str], *, lenient: bool = False, copies: Mapping[str, str] | None = None
    ) -> None:
        self._copies = copies or {}
        self._directories = directories
        self._read: dict[str, str | None] = {}
        self.lenient = lenient

    def __call__(self, name: str) -> str | None:
        """The content of a file.  Raises CgroupError when it cannot be read, unless lenient."""
        if name not in self._read:
            self._read[name] = self._content(name)
        return self._read[name]

    def directory(self, name: str) -> str | None:
        """Where the file of this name is."""
        return self._directories.get(name.partition(".")[0]) or self._directories.get("")

    def _content(self, name: str) -> str | None:
        directory = self.directory(name)
        if directory is None:
            return None
        path = f"{directory}/{name}"
        try:
            return files.read(path)
        except OSError as error:
            code = error.errno or errno.EIO
            if code in _ABSENT or (self.lenient and code in files.PERMISSION):
                return self._copies.get(path)
            raise CgroupError(code, f"cannot read {path}: {files.reason(code)}", call="read", path=path) from None


def number(*names: str) -> Source:
    """A file with one number, or "max"."""
    return Source(_number, *names)


def signed(name: str) -> Source:
    """A file with one number that may be negative."""
    return Source(int, name)


def member(name: str, key: str, factor: int = 1) -> Source:
    """A line `key number` of a file with such lines."""
    return Source(lambda text: _times(_member(text, key), factor), name)


def members(name: str) -> Source:
    """All lines of such a file, sorted by key."""
    return Source(lambda text: dict(sorted(_members(text).items())), name)


def numbers(name: str) -> Source:
    """Numbers on one line."""
    return Source(lambda text: [int(word) for word in text.split()], name)


def column(name: str, at: int) -> Source:
    """A column of a table whose first line is a heading."""
    return Source(lambda text: [int(line.split()[at]) for line in text.splitlines()[1:]], name)


def ranges(name: str) -> Source:
    """A list such as `0-2,5` (cpuset(7), "List format")."""
    return Source(_ranges, name)


def pressure(name: str) -> Source:
    """Stall times: percentages of the last seconds, and the sum in microseconds (Documentation/accounting/psi.rst)."""
    return Source(_pressure, name)


def devices(*names: str) -> Source:
    """Lines `major:minor [operation] number` of blkio.* files."""
    return Source(_devices, *names)


def io(key_to_operation: Mapping[str, str]) -> Source:
    """The members of io.stat with these names, as `devices` gives them: {"rbytes": "Read"}."""
    return Source(lambda text: _io(text, key_to_operation), "io.stat")


def rdma(name: str) -> Source:
    """Lines `device hca_handle=number hca_object=number`."""
    return Source(_rdma, name)


def _number(text: str) -> int:
    word = text.strip()
    # A negative one, of a counter that is summed up from the processors' parts, is a zero that was not settled yet.
    return UNLIMITED if word == "max" else max(0, int(word))


def _members(text: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found[key] = _number(value)
    return found


def _member(text: str, key: str) -> int | None:
    _, found, rest = f"\n{text}".partition(f"\n{key} ")
    return _number(rest.partition("\n")[0]) if found else None


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor


def _ranges(text: str) -> list[int]:
    found: list[int] = []
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            found += range(int(first), int(last or first) + 1)
    return found


def _pressure(text: str) -> dict[str, object]:
    nothing = {"avg10": 0, "avg60": 0, "avg300": 0, "total": 0}
    found: dict[str, object] = {"some": nothing, "full": nothing}
    for line in text.splitlines():
        kind, *words = line.split()
        values: dict[str, object] = {}
        for word in words:
            key, _, value = word.partition("=")
            values[key] = int(value) if key == "total" else _plain(float(value))
        found[kind] = values
    return found


def _plain(value: float) -> float:
    """A whole number is written without a point, as engines' own tools do."""
    return int(value) if value == int(value) else value


def _devices(text: str) -> list[dict[str, object]]:
    found = []
    for line in text.splitlines():
        words = line.replace(":", " ").split()
        if len(words) == 2 and words[0] == "Total":
            continue
        operation = words[2] if len(words) == 4 else ""
        found.append({"major": int(words[0]), "minor": int(words[1]), "op": operation, "value": int(words[-1])})
    return found


def _io(text: str, key_to_operation: Mapping[str, str]) -> list[dict[str, object]]:
    found = []
    for line in text.splitlines():
        device, *words = line.split()
        major, colon, minor = device.partition(":")
        if not colon:
            continue
        for word in words:
            key, _, value = word.partition("=")
            if key in key_to_operation:
                operation = key_to_operation[key]
                found.append({"major": int(major), "minor": int(minor), "op": operation, "value": int(value)})
    return found


def _rdma(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for line in text.splitlines():
        device, *words = line.split()
        row: dict[str, object] = {"device": device}
        for word in words:
            key, _, value = word.partition("=")
            row[key] = 2**32 - 1 if value == "max" else int(value)
        found.append(row)
    return found
