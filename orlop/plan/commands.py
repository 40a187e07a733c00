"""`start` and `delete` as programs: what they do for a container with a brief (state/brief.py), for which that is all.

Each looks first whether it is one, holds its lock meanwhile, and becomes the interpreter where anything is otherwise,
before it has changed something; but for `delete`, of which every step may be done again.
"""

from __future__ import annotations

from errno import ENOENT

from orlop.plan.native import GONE, Native
from orlop.program import linux
from orlop.program.layout import WHEN_ERROR
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.supervision import Identity
    from orlop.program.ops import Program, Register

_LOOK = 4096


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
        identities: tuple[Identity, ...] = (),
    ) -> None:
        self.architecture = architecture
        self.directory = directory
        self.brief = brief
        self.python = python
        self.again = again
        self.users = users
        self.identities = identities


class _Command(Native):
    """Builds a program.  `text`: where the brief is, once the container was found."""

    def __init__(self, command: Command) -> None:
        super().__init__(command.architecture, command.python, command.again, _LOOK)
        self.c = command
        self.text = self.b.space(command.brief.size + 1)

    def find(self) -> Register:
        """The locked directory of a container with a brief, which is then in memory at `text`."""
        b, brief = self.b, self.c.brief
        b.purpose("what was known")
        for identity in self.c.identities:
            self.look_at(identity)
        self.look_into("/proc/self/uid_map", self.c.users)
        b.purpose("state")
        flags = linux.O_RDONLY | linux.O_DIRECTORY | linux.O_CLOEXEC
        directory = self.get("openat", linux.AT_FDCWD, self.c.directory, flags, 0)
        self.do("flock", directory, linux.LOCK_EX | linux.LOCK_NB)
        file = self.get("openat", directory, brief.name, linux.O_RDONLY | linux.O_NOFOLLOW | linux.O_CLOEXEC, 0)
        got = self.get("read", file, self.text, brief.size + 1)
        b.jump_unless(got, brief.size, self.other)
        b.jump_if_other(self.text, brief.head, self.other)
        return directory

    def finish(self) -> Program:
        """Success; or what is left to the interpreter."""
        self.b.do("exit_group", 0)
        self.begin_anew()
        return self.b.finish()


def start_program(command: Command, fifo: str) -> Program:
    """Let a container go that waits on its fifo and is not frozen.  Its process holds the fifo open: nobody does when
    it is dead."""
    p = _Command(command)
    directory = p.find()
    b = p.b
    b.purpose("status")
    p.look_into(p.text + command.brief.freezer, command.brief.thawed)
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
        p.do("unlinkat", linux.AT_FDCWD, p.text + place, linux.AT_REMOVEDIR, ignore=GONE)
    b.purpose("state")
    for name in files:
        p.do("unlinkat", directory, name, 0, ignore=(ENOENT,))
    done, rest = Label(), Label()
    b.do("unlinkat", linux.AT_FDCWD, command.directory, linux.AT_REMOVEDIR, on={WHEN_ERROR: rest})
    b.jump(done)
    b.place(rest)
    p.become([*command.again[:-1], "--force", command.again[-1]])  # which minds not that the record is gone
    b.place(done)
    return p.finish()


def _only_without(p: _Command, directory: Register, name: int | str) -> None:
    """Go on if nothing has this name."""
    b = p.b
    none = Label()
    b.do("faccessat2", directory, name, linux.F_OK, 0, on={ENOENT: none, WHEN_ERROR: p.other})
    b.jump(p.other)
    b.place(none)
