"""The mounts of this process's mount namespace, from /proc/self/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

from orlop import system as os

# The kernel writes these bytes of a path in octal, so that a line can be split at spaces.
_ESCAPES = ("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\043", "#"), ("\\134", "\\")


class Mount:
    """One line of mountinfo.  `root` is what of the file system is mounted, `point` where."""

    __slots__ = (
        "device",
        "fstype",
        "id",
        "options",
        "parent",
        "point",
        "propagation",
        "root",
        "source",
        "super_options",
    )

    def __init__(self, line: str) -> None:
        fields = line.split(" ")
        dash = fields.index("-", 6)
        self.id = int(fields[0])
        self.parent = int(fields[1])
        self.device = fields[2]
        self.root = unescape(fields[3])
        self.point = unescape(fields[4])
        self.options = fields[5].split(",")
        self.propagation = fields[6:dash]
        self.fstype = fields[dash + 1]
        self.source = unescape(fields[dash + 2])
        self.super_options = unescape(fields[dash + 3]).split(",")

    def __repr__(self) -> str:
        return f"Mount({self.fstype} {self.root} on {self.point})"


def unescape(text: str) -> str:
    """Return a field of mountinfo as the kernel has it, without octal escapes."""
    if "\\" in text:
        for escape, character in _ESCAPES:  # the backslash comes last
            text = text.replace(escape, character)
    return text


def mounts(proc: str = "/proc", fstypes: tuple[str, ...] = ()) -> list[Mount]:
    """Return the mounts in the order of the kernel; of the given types only, if any are given.

    Lines of other types are not taken apart: a host of many containers has thousands of them.
    """
    wanted = tuple(f" - {fstype} " for fstype in fstypes)
    found = []
    for line in read(f"{proc}/self/mountinfo").split("\n"):  # not splitlines(): a path may hold a form feed or U+2028
        if line and (not wanted or any(part in line for part in wanted)):
            found.append(Mount(line))
    return found


def read(path: str) -> str:
    """Return the whole of a file of /proc; these have no size, so it is read to the end.  Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        chunks = []
        while chunk := os.read(descriptor, 65536):
            chunks.append(chunk)
    finally:
        os.close(descriptor)
    return os.fsdecode(b"".join(chunks))
