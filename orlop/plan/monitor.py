"""The monitor of a detached container: a program that lets another one run as its child, and waits for what that one
makes.

supervisor            monitor                     executor                 the container's first process
spawn ──────────────▶ clone ────────────────────▶ event MONITOR; execve
                      a session of its own,       runs its program:
                      no descriptor but that      clone3(CLONE_PARENT) ──▶ a child of the monitor
                      of the record               event PID; exit
                      wait for the executor ◀────
                      open the files to be copied
                      wait for the container ◀──────────────────────────── exit
                      read them; write the record; exit

The program of the container is the same with and without a monitor.  The monitor stays in the runtime's namespaces and
cgroups, so the container neither sees it nor takes it along when it is killed.
"""

from __future__ import annotations

from _struct import pack

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
FILES = 16  # descriptors of what is to be copied come behind this number
# struct sched_attr: before all that is not real-time, or before most, in a cgroup of version 1 that may have nothing
# real-time.  systemd removes a cgroup as soon as it is empty, and hears of it when the monitor does; of 100 ends beside
# busy loops the monitor came first in 98, and in 50 as an ordinary process.
_FIRST = pack("<IIQiIQQQII", 56, linux.SCHED_FIFO, 0, 0, 1, 0, 0, 0, 0, 0)
_EARLY = pack("<IIQiIQQQII", 56, linux.SCHED_OTHER, 0, -20, 0, 0, 0, 0, 0, 0)


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
    for number, path in enumerate(files, 1):
        _open(b, path, number)
    if files:
        for attributes in (_EARLY, _FIRST):
            b.do("sched_setattr", 0, b.constant(attributes), 0, ignore=(WHEN_ERROR,))
    b.do("waitid", linux.P_ALL, 0, told + INFO, linux.WEXITED, told + USAGE, on={WHEN_ERROR: nobody})
    b.do("clock_gettime", linux.CLOCK_MONOTONIC, told + TIME)
    texts = [_read(b, number) for number, _ in enumerate(files, 1)]
    b.do("write", 0, told, SIZE)
    for path, (text, size) in zip(files, texts, strict=True):
        _copy(b, path, text, size)
    b.place(nobody)
    b.do("exit_group", 0)


def _open(b: Builder, path: str, number: int) -> None:
    """Nothing has that number if the file is not there."""
    missing = Label()
    file = b.get("openat", linux.AT_FDCWD, path, linux.O_RDONLY | linux.O_CLOEXEC, 0, on={WHEN_ERROR: missing})
    b.do("dup3", file, FILES + number, linux.O_CLOEXEC)
    b.close(file)
    b.place(missing)


def _read(b: Builder, number: int) -> tuple[int, Register]:
    """Where the text of a file is, and its size.  All are read before any is written down: whoever removes the cgroup
    is told of its end, too."""
    text = b.space(TEXT)
    lost, read = Label(), Label()
    size = b.get("read", FILES + number, text, TEXT, on={WHEN_ERROR: lost})
    b.jump(read)
    b.place(lost)
    b.set(size, 0)
    b.place(read)
    return text, size


def _copy(b: Builder, path: str, text: int, size: Register) -> None:
    """One that was not there, or not any more, is left out."""
    missing = Label()
    b.jump_if(size, missing, zero=True)
    name = path.encode("utf-8", "surrogateescape") + b"\0"
    b.do("write", 0, name, len(name))
    b.do("write", 0, text, size)
    b.do("write", 0, b"\0", 1)
    b.free(size)
    b.place(missing)
