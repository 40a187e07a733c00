"""`start` and `delete` as programs: what they do for a container with a brief (state/brief.py), for which that is all.

Each looks first whether it is one, holds its lock meanwhile, and becomes the interpreter where anything is otherwise,
before it has changed something; but for `delete`, of which every step may be done again.
"""

from __future__ import annotations

from errno import ENODEV, ENOENT

from orlop.program import linux
from orlop.program.builder import Builder
from orlop.program.layout import WHEN_ERROR
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Argument, Program, Register

_GONE = (ENOENT, ENODEV)
_STATX = linux.STATX_TYPE | linux.STATX_MODE | linux.STATX_INO | linux.STATX_SIZE | linux.STATX_MTIME
_STATX_SIZE = 256
_STATE_SIZE = 32


class Brief:
    """Where in a brief is what: `name` of the file, how it begins, its size, and the places of the paths of the first
    process's program below /proc, of the file that tells whether the container is frozen, which says `thawed` where it
    is not, and of the cgroups."""

    __slots__ = ("cgroups", "freezer", "head", "name", "program", "size", "thawed")

    def __init__(
        self, name: str, head: bytes, size: int, program: int, freezer: int, thawed: bytes, cgroups: tuple[int, ...]
    ) -> None:
        self.name = name
        self.head = head
        self.size = size
        self.program = program
        self.freezer = freezer
        self.thawed = thawed
        self.cgroups = cgroups


class Command:
    """A command for the container whose state is in `directory`.  `python` with the arguments `again` does the same.
    `identities` are files that this depends on: path, size, modification time (ns), inode; `users` is what
    /proc/self/uid_map says."""

    __slots__ = ("again", "architecture", "brief", "directory", "identities", "python", "users")

    def __init__(
        self,
        architecture: str,
        directory: str,
        brief: Brief,
        python: str,
        again: list[str],
        users: bytes,
        identities: tuple[tuple[str, int, int, int], ...] = (),
    ) -> None:
        self.architecture = architecture
        self.directory = directory
        self.brief = brief
        self.python = python
        self.again = again
        self.users = users
        self.identities = identities


class _Command:
    """Builds a program.  `again`: where to go on when the interpreter must do it."""

    def __init__(self, command: Command) -> None:
        self.c = command
        self.b = Builder(command.architecture, -1)
        self.b.variable(bytes(8))  # a `run` has a number there
        self.again = Label()
        self.text = self.b.space(max(command.brief.size, len(command.users)) + 1)

    def do(self, name: str, *args: Argument, ignore: tuple[int, ...] = ()) -> None:
        self.b.do(name, *args, ignore=ignore, on={WHEN_ERROR: self.again})

    def get(self, name: str, *args: Argument) -> Register:
        return self.b.get(name, *args, on={WHEN_ERROR: self.again})

    def find(self) -> Register:
        """The locked directory of a container with a brief, which is then in memory at `text`."""
        b, brief = self.b, self.c.brief
        b.purpose("what was known")
        seen = b.space(_STATX_SIZE)
        for path, size, mtime, inode in self.c.identities:
            self.do("statx", linux.AT_FDCWD, path, 0, _STATX, seen)
            seconds, nanoseconds = divmod(mtime, 1_000_000_000)
            for at, value in ((40, size), (32, inode), (112, seconds)):
                b.jump_if_other(seen + at, value.to_bytes(8, "little"), self.again)
            b.jump_if_other(seen + 120, nanoseconds.to_bytes(4, "little"), self.again)
        file = self.get("openat", linux.AT_FDCWD, "/proc/self/uid_map", linux.O_RDONLY | linux.O_CLOEXEC, 0)
        got = self.get("read", file, self.text, len(self.c.users) + 1)
        b.jump_unless(got, len(self.c.users), self.again)
        b.jump_if_other(self.text, self.c.users, self.again)
        b.free(got)
        b.purpose("state")
        flags = linux.O_RDONLY | linux.O_DIRECTORY | linux.O_CLOEXEC
        directory = self.get("openat", linux.AT_FDCWD, self.c.directory, flags, 0)
        self.do("flock", directory, linux.LOCK_EX | linux.LOCK_NB)
        file = self.get("openat", directory, brief.name, linux.O_RDONLY | linux.O_NOFOLLOW | linux.O_CLOEXEC, 0)
        got = self.get("read", file, self.text, brief.size + 1)
        b.jump_unless(got, brief.size, self.again)
        b.jump_if_other(self.text, brief.head, self.again)
        return directory

    def become(self, label: Label, arguments: list[str]) -> None:
        """From this label on, the interpreter does it."""
        b = self.b
        b.place(label)
        b.purpose("begin anew", "unable to run the interpreter")
        b.do("execve", self.c.python, b.strings(arguments), b.environment, ignore=(WHEN_ERROR,))

    def finish(self) -> Program:
        """Success; or what is left to the interpreter."""
        b, c = self.b, self.c
        b.do("exit_group", 0)
        self.become(self.again, c.again)
        message = b"orlop: unable to run the Python interpreter\n"
        b.do("write", 2, message, len(message), ignore=(WHEN_ERROR,))
        b.do("exit_group", 1)
        return b.finish()


def start_program(command: Command, fifo: str) -> Program:
    """Let a container go that waits on its fifo and is not frozen.  Its process holds the fifo open: nobody does when
    it is dead."""
    p = _Command(command)
    directory = p.find()
    b = p.b
    b.purpose("status")
    state = b.space(_STATE_SIZE)
    file = p.get("openat", linux.AT_FDCWD, p.text + command.brief.freezer, linux.O_RDONLY | linux.O_CLOEXEC, 0)
    size = p.get("read", file, state, _STATE_SIZE)
    b.jump_unless(size, len(command.brief.thawed), p.again)
    b.jump_if_other(state, command.brief.thawed, p.again)
    b.purpose("start")
    waiting = p.get("openat", directory, fifo, linux.O_WRONLY | linux.O_NONBLOCK | linux.O_CLOEXEC, 0)
    p.do("write", waiting, b"0", 1)
    b.do("unlinkat", directory, fifo, 0, ignore=(WHEN_ERROR,))
    return p.finish()


def delete_program(command: Command, files: tuple[str, ...], others: tuple[str, ...]) -> Program:
    """Remove a container whose first process has ended.  `files` are in its directory, the last of them its
    record; `others` make it another's work."""
    p = _Command(command)
    directory = p.find()
    b = p.b
    b.purpose("status")
    processes = p.get("openat", linux.AT_FDCWD, "/proc", linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC, 0)
    _only_without(p, processes, p.text + command.brief.program)
    for name in others:
        _only_without(p, directory, name)
    b.purpose("linux.cgroupsPath")
    for place in command.brief.cgroups:
        p.do("unlinkat", linux.AT_FDCWD, p.text + place, linux.AT_REMOVEDIR, ignore=_GONE)
    b.purpose("state")
    for name in files:
        p.do("unlinkat", directory, name, 0, ignore=(ENOENT,))
    done, rest = Label(), Label()
    b.do("unlinkat", linux.AT_FDCWD, command.directory, linux.AT_REMOVEDIR, on={WHEN_ERROR: rest})
    b.jump(done)
    p.become(rest, [*command.again[:-1], "--force", command.again[-1]])  # which minds not that the record is gone
    b.place(done)
    return p.finish()


def _only_without(p: _Command, directory: Register, name: int | str) -> None:
    """Go on if nothing has this name."""
    b = p.b
    none = Label()
    b.do("faccessat2", directory, name, linux.F_OK, 0, on={ENOENT: none, WHEN_ERROR: p.again})
    b.jump(p.again)
    b.place(none)
