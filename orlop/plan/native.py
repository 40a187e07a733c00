"""What the programs have in common that do a command without an interpreter (plan/supervisor.py, plan/commands.py)."""

from __future__ import annotations

from errno import ENODEV, ENOENT

from orlop.program import linux
from orlop.program.builder import Builder
from orlop.program.layout import WHEN_ERROR
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.supervision import Identity
    from orlop.program.ops import Argument, Register

EXECUTABLE_SIZE = 8
GONE = (ENOENT, ENODEV)  # what the kernel says of a cgroup that is not there, or is about to go
MODE_AT, INO_AT, SIZE_AT, MTIME_AT = 28, 32, 40, 112  # in struct statx
STATX = linux.STATX_TYPE | linux.STATX_MODE | linux.STATX_INO | linux.STATX_SIZE | linux.STATX_MTIME
_STATX_SIZE = 256


class Native:
    """Builds such a program.  `python` with the arguments `again` does the same, from the label `again` on; `other` is
    where to go on when something is not as it was, or fails: there, until something was made.

    `executable`, the first thing in its data, is where the launcher puts the number of a descriptor.
    """

    def __init__(self, architecture: str, python: str, again: list[str], buffer: int) -> None:
        """`buffer`: how much of a file is looked at at most."""
        self.b = Builder(architecture, -1)
        self.executable = self.b.variable(bytes(EXECUTABLE_SIZE))
        self.again = Label()
        self.other = self.again
        self.buffer = self.b.space(buffer)
        self.file = self.b.space(_STATX_SIZE)
        self._python = python
        self._arguments = again

    def do(self, name: str, *args: Argument, ignore: tuple[int, ...] = ()) -> None:
        self.b.do(name, *args, ignore=ignore, on={WHEN_ERROR: self.other})

    def get(self, name: str, *args: Argument) -> Register:
        return self.b.get(name, *args, on={WHEN_ERROR: self.other})

    def close(self, *registers: Register) -> None:
        for register in registers:
            self.b.do("close", register, ignore=(WHEN_ERROR,))
            self.b.free(register)

    def look_into(self, path: int | str, content: bytes) -> None:
        """Does a file hold this?  One byte more is asked for, so that a longer one is not taken for it."""
        b = self.b
        file = self.get("openat", linux.AT_FDCWD, path, linux.O_RDONLY | linux.O_CLOEXEC, 0)
        size = self.get("read", file, self.buffer, len(content) + 1)
        b.jump_unless(size, len(content), self.other)
        if content:
            b.jump_if_other(self.buffer, content, self.other)
        b.free(size)
        self.close(file)

    def look_at(self, identity: Identity) -> None:
        """Is a file the one that it was?"""
        path, size, mtime, inode = identity
        seconds, nanoseconds = divmod(mtime, 1_000_000_000)
        self.do("statx", linux.AT_FDCWD, path, 0, STATX, self.file)
        for at, width, value in (
            (SIZE_AT, 8, size), (INO_AT, 8, inode), (MTIME_AT, 8, seconds), (MTIME_AT + 8, 4, nanoseconds),
        ):  # fmt: skip
            self.b.jump_if_other(self.file + at, value.to_bytes(width, "little"), self.other)

    def become(self, arguments: list[str]) -> None:
        """Become the interpreter."""
        self.b.purpose("begin anew", "unable to run the interpreter")
        self.b.do("execve", self._python, self.b.strings(arguments), self.b.environment, ignore=(WHEN_ERROR,))

    def begin_anew(self) -> None:
        """The interpreter does it all."""
        b = self.b
        b.place(self.again)
        self.become(self._arguments)
        message = b"orlop: unable to run the Python interpreter\n"
        b.do("write", 2, message, len(message), ignore=(WHEN_ERROR,))
        b.do("exit_group", 1)
