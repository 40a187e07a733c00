"""The monitor of a detached container: a program that lets another one run as its child, and waits for what that one
makes.

supervisor            monitor                     executor                 the container's first process
spawn ──────────────▶ clone ────────────────────▶ event MONITOR; execve
                      a session of its own,       runs its program:
                      no descriptor but that      clone3(CLONE_PARENT) ──▶ a child of the monitor
                      of the record               event PID; exit
                      wait for the executor ◀────
                      wait for the container ◀──────────────────────────── exit
                      write the record; exit

The program of the container is the same with and without a monitor.  The monitor stays in the runtime's namespaces and
cgroups, so the container neither sees it nor takes it along when it is killed.
"""

from __future__ import annotations

from orlop.plan import events
from orlop.program import linux
from orlop.program.builder import Builder
from orlop.program.layout import WHEN_ERROR, WHEN_NOT_ZERO
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Program, Register

# What is written when the container has ended: siginfo_t and struct rusage of waitid(2), the time by CLOCK_MONOTONIC.
# Behind it each file of the cgroup that could be read: its path, a NUL, what is in it, a NUL.
INFO, USAGE, TIME, SIZE = 0, 128, 272, 288
TEXT = 4096  # of what is in a file, at most
NAME = "orlop-monitor"


def monitor_program(architecture: str, control: int, record: int, image: int, files: tuple[str, ...] = ()) -> Program:
    """The program of a monitor.  `record` is the number of the descriptor that it writes to, `image` that of the
    executable that it runs; they come behind everything that the executable is to have.  `files` are those of the
    cgroup to keep a copy of, where the cgroup goes as soon as it is empty: systemd removes it."""
    b = Builder(architecture, control)
    b.purpose("monitor", "unable to start the monitor")
    b.do("prctl", linux.PR_SET_DUMPABLE, 0, 0, 0, 0)
    b.do("setsid")  # what ends the session of the terminal does not end the monitor
    parent = Label()
    args = b.clone_args(0, linux.SIGCHLD)
    child = b.get("clone3", args, linux.CLONE_ARGS_SIZE, on={WHEN_NOT_ZERO: parent})
    _run(b, image)
    b.place(parent)
    _let_go(b, record)
    _wait_and_tell(b, child, files)
    return b.finish()


def _run(b: Builder, image: int) -> None:
    """The executor says who it is, and becomes the program's.  It closes what is behind the descriptors it knows."""
    own = b.get("getpid")
    b.event(events.MONITOR, own)
    b.free(own)
    b.do("execve", f"/proc/self/fd/{image}", b.strings(["orlop", "init"]), b.strings([]))


def _let_go(b: Builder, record: int) -> None:
    """Of the directory, which may be on a mount that is to go, and of all descriptors but one."""
    b.do("chdir", "/", ignore=(WHEN_ERROR,))
    b.do("dup3", record, 0, linux.O_CLOEXEC)
    b.do("close_range", 1, 0xFFFF_FFFF, 0)
    b.do("prctl", linux.PR_SET_NAME, NAME, 0, 0, 0, ignore=(WHEN_ERROR,))


def _wait_and_tell(b: Builder, executor: Register, files: tuple[str, ...]) -> None:
    """The executor's end comes first: who is left then is the container's first process."""
    told = b.space(SIZE)
    nobody = Label()
    b.do("waitid", linux.P_PID, executor, 0, linux.WEXITED, 0)
    b.do("waitid", linux.P_ALL, 0, told + INFO, linux.WEXITED, told + USAGE, on={WHEN_ERROR: nobody})
    b.do("clock_gettime", linux.CLOCK_MONOTONIC, told + TIME)
    b.do("write", 0, told, SIZE)
    if files:
        _copy(b, files)
    b.place(nobody)
    b.do("exit_group", 0)


def _copy(b: Builder, files: tuple[str, ...]) -> None:
    """One that is not there, or not any more, is left out."""
    text = b.space(TEXT)
    for path in files:
        missing, dead = Label(), Label()
        file = b.get("openat", linux.AT_FDCWD, path, linux.O_RDONLY | linux.O_CLOEXEC, 0, on={WHEN_ERROR: missing})
        size = b.get("read", file, text, TEXT, on={WHEN_ERROR: dead})
        name = path.encode("utf-8", "surrogateescape") + b"\0"
        b.do("write", 0, name, len(name))
        b.do("write", 0, text, size)
        b.do("write", 0, b"\0", 1)
        b.place(dead)
        b.close(file)
        b.free(size)
        b.place(missing)
