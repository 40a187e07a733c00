"""The supervisor's part of a `run` that came before, as a program: then no interpreter is started for it.

supervisor                                                  executor, then the container's first process
is all as it was? ──────── no ─▶ become the interpreter
make the state directory
clone ────────────────────────────────────────────────────▶ become the executor
write the record; make the cgroup ── go ──────────────────▶ goes on
◀──────────────────────────────────────── PID, HOME … ──── as runtime/launch.py hears and answers them
wait for its end ── a signal ─▶ become the interpreter, which passes it on and waits
remove cgroup and record ── more to do ─▶ become the interpreter, which does it
exit with its status

What the interpreter would find out and decide was found out and decided when this was planned; here it is only looked
whether it still holds.  Nothing is made before that, and where something fails afterwards it is all taken back, and the
interpreter begins anew: it knows more, and tells what is wrong.
"""

from __future__ import annotations

from _struct import pack
from errno import ENOENT

from orlop.plan import events
from orlop.plan.native import GONE, MODE_AT, STATX, Native
from orlop.program import linux
from orlop.program.layout import DIGITS_SIZE, WHEN_ERROR, WHEN_ZERO
from orlop.program.ops import Label
from orlop.program.signature import F_DUPFD_CLOEXEC, F_SETFD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.supervision import Supervision
    from orlop.program.builder import Builder
    from orlop.program.ops import Program, Register

LIMITS = 16  # RLIMIT_*
_HEARD = 64 * 1024
_EVENT_BEGIN = 8  # kind and operation, before the value
_STAT_SIZE = 1024
_PATIENCE = 2  # seconds for a process that says nothing, in all
_BEHIND = 64  # descriptors that are moved out of the way
_OWN_SIGNALS = frozenset(
    (4, 5, 6, 7, 8, 11, 31, 32, 33, linux.SIGKILL, linux.SIGSTOP)
)  # as runtime/foreground.py has them
_NOT_PASSED_ON = frozenset((linux.SIGPIPE, linux.SIGCHLD, linux.SIGURG, linux.SIGWINCH))


def supervisor_program(supervision: Supervision) -> Program:
    """The program.  The number of the descriptor of the container's executable is to be put where its data begin."""
    return _Supervisor(supervision).program()


class _Supervisor(Native):
    """Builds it."""

    def __init__(self, supervision: Supervision) -> None:
        super().__init__(supervision.architecture, supervision.python, supervision.again, _HEARD)
        self.s = supervision
        self.undo, self.attend, self.finish = Label(), Label(), Label()
        self.unknown = Label()  # an end before the pid was told
        self.pid_text = self.b.variable(bytes(DIGITS_SIZE))
        self.status_text = self.b.variable(bytes(DIGITS_SIZE))

    def program(self) -> Program:
        b = self.b
        in_child = Label()
        image = b.load(self.executable, 4)
        b.purpose("supervisor")
        self.do("fcntl", image, F_SETFD, linux.FD_CLOEXEC)
        self._look()
        ours, theirs, signals = self._get_ready()
        directory = self._make_directory()
        child = b.get("clone", linux.SIGCHLD, 0, 0, 0, 0, on={WHEN_ZERO: in_child, WHEN_ERROR: self.undo})
        b.set(self.executor, child)
        for mine in (theirs, image):  # which the child still names
            b.do("close", mine, ignore=(WHEN_ERROR,))
        self._write_down(directory)
        self._make_cgroup()
        self._answer(ours, b"\0")
        self._hear(ours, directory)
        self._wait_and_remove(directory, signals)
        self._hand_over()
        self._take_back(ours)
        self.begin_anew()
        b.place(in_child)
        self._become_the_executor(theirs, image)
        return b.finish()

    # Is all as it was?

    def _look(self) -> None:
        s, b = self.s, self.b
        b.purpose("what was known")
        b.do("prctl", linux.PR_SET_NAME, "orlop", 0, 0, 0, ignore=(WHEN_ERROR,))
        self._look_at_signals()
        header = b.variable(pack("<II", linux.LINUX_CAPABILITY_VERSION_3, 0))
        capabilities = b.space(len(s.capabilities))
        self.do("capget", header, capabilities)
        b.jump_if_other(capabilities, s.capabilities, self.other)
        if s.limits:
            limits = b.space(len(s.limits))
            for number in range(LIMITS):
                self.do("prlimit64", 0, number, 0, limits + 16 * number)
            b.jump_if_other(limits, s.limits, self.other)
        for path, content in s.files:
            self.look_into(path, content)
        for identity in s.identities:
            self.look_at(identity)
        for path, directory in s.sources:
            self.do("statx", linux.AT_FDCWD, path, 0, STATX, self.file)
            self._look_at_type(directory=directory)

    def _look_at_signals(self) -> None:
        """Where SIGCHLD is ignored nobody could learn how the container ended."""
        old = self.b.space(32)
        self.do("rt_sigaction", linux.SIGCHLD, 0, old, linux.SIGNAL_SET_SIZE)
        self.b.jump_if_other(old, bytes(8), self.other)

    def _look_at_type(self, *, directory: bool) -> None:
        b = self.b
        mode, good = b.load(self.file + MODE_AT, 4), Label()
        b.jump_unless(mode, linux.S_IFDIR, good if not directory else self.other, mask=linux.S_IFMT)
        if not directory:
            b.jump(self.other)
            b.place(good)
        b.free(mode)

    # Make it

    def _get_ready(self) -> tuple[Register, Register, Register]:
        b = self.b
        b.purpose("supervisor")
        pair = b.variable(bytes(8))
        kind = linux.SOCK_SEQPACKET | linux.SOCK_CLOEXEC
        self.do("socketpair", linux.AF_UNIX, kind, 0, pair)
        ours, theirs = b.load(pair, 4), b.load(pair + 4, 4)
        held = [number for number in range(1, 65) if number not in _OWN_SIGNALS]
        self.do("rt_sigprocmask", linux.SIG_BLOCK, _signals(b, held), 0, linux.SIGNAL_SET_SIZE)
        passed_on = _signals(b, [number for number in held if number not in _NOT_PASSED_ON])
        signals = self.get("signalfd4", -1, passed_on, linux.SIGNAL_SET_SIZE, linux.SFD_CLOEXEC)
        return ours, theirs, signals

    def _make_directory(self) -> Register:
        """And note what is made from here on, which is taken back when something fails."""
        b, path = self.b, self.s.directory
        b.purpose("state")
        self.executor, self.first = b.register(), b.register()
        self.made = {path: b.register() for kind, path, _text in self.s.steps if kind == "make"}
        for register in (self.executor, self.first, *self.made.values()):
            b.set(register, 0)
        self.do("mkdirat", linux.AT_FDCWD, path, 0o711)
        self.other = self.undo
        return self.get("openat", linux.AT_FDCWD, path, linux.O_RDONLY | linux.O_DIRECTORY | linux.O_CLOEXEC, 0)

    def _write_down(self, directory: Register) -> None:
        b = self.b
        b.purpose("state")
        for name, data in (("config.json", self.s.config), (".state.json", self.s.record)):
            self._write(directory, name, data, len(data))
        self.do("renameat2", directory, ".state.json", directory, "state.json", 0)

    def _write(self, directory: Register, name: str, data: int | bytes, size: int | Register) -> None:
        flags = linux.O_WRONLY | linux.O_CREAT | linux.O_EXCL | linux.O_NOFOLLOW | linux.O_CLOEXEC
        file = self.get("openat", directory, name, flags, 0o600)
        written = self.get("write", file, data, size)
        if isinstance(size, int):
            self.b.jump_unless(written, size, self.other)
        self.b.free(written)
        self.close(file)

    def _make_cgroup(self) -> None:
        b = self.b
        b.purpose("linux.cgroupsPath")
        file: Register | None = None
        before: tuple[str, str] | None = None
        for kind, path, text in self.s.steps:
            if file is not None and (kind, path) != before:
                self.close(file)
                file = None
            if kind == "make":
                self.do("mkdirat", linux.AT_FDCWD, path, 0o755)
                b.set(self.made[path], 1)
            elif kind == "read":
                self.look_into(path, text.encode("ascii", "surrogateescape"))
            else:
                if file is None:
                    file = self.get("openat", linux.AT_FDCWD, path, linux.O_WRONLY | linux.O_CLOEXEC, 0)
                data = text.encode()
                self.do("write", file, data, len(data))
            before = (kind, path)
        if file is not None:
            self.close(file)

    def _become_the_executor(self, socket: Register, image: Register) -> None:
        """As runtime/launch.py has it spawned."""
        b = self.b
        b.purpose("executor")
        failed = Label()
        self.other = failed
        default = b.constant(bytes(32))
        for number in range(1, 65):
            if number not in (linux.SIGKILL, linux.SIGSTOP):
                self.do("rt_sigaction", number, default, 0, linux.SIGNAL_SET_SIZE)
        self.do("rt_sigprocmask", linux.SIG_SETMASK, _signals(b, []), 0, linux.SIGNAL_SET_SIZE)
        moved = self.get("fcntl", image, F_DUPFD_CLOEXEC, _BEHIND)
        high = self.get("fcntl", socket, F_DUPFD_CLOEXEC, _BEHIND)
        self.do("dup3", high, self.s.control, 0)
        arguments, nothing = b.strings(["orlop", "init"]), b.strings([])
        self.do("execveat", moved, "", arguments, nothing, linux.AT_EMPTY_PATH)
        b.place(failed)
        b.do("exit_group", 1)

    # Hear of it

    def _hear(self, ours: Register, directory: Register) -> None:
        b = self.b
        self.polled = b.variable(pack("<ihh", -1, linux.POLLIN, 0) * 2)
        self.patience = b.variable(pack("<qq", _PATIENCE, 0))
        b.store(self.polled, 4, ours)
        (known, _), (other, answer), *rest = self.s.heard
        self._hear_of_the_first(ours, known, other)
        if answer:
            self._answer(ours, answer)
        b.purpose("state")
        self._know(directory)
        for event, _none in rest:
            b.purpose(events.NAMES[int.from_bytes(event[:4], "little")])
            self._expect(ours, event)
        self._let_go(ours)

    def _hear_of_the_first(self, ours: Register, known: bytes, other: bytes) -> None:
        """The executor tells the pid of the process that it has cloned, which races with it to what it says itself."""
        b = self.b
        early, both = Label(), Label()
        b.purpose(events.NAMES[events.PID])
        size = self._next(ours)
        b.jump_if_other(self.buffer, known[:_EVENT_BEGIN], early)
        b.jump_unless(size, len(known), self.unknown)
        self._take_pid()
        self._expect(ours, other)
        b.jump(both)
        b.place(early)
        b.jump_unless(size, len(other), self.unknown)
        b.jump_if_other(self.buffer, other, self.unknown)
        b.free(size)
        size = self._next(ours)
        b.jump_unless(size, len(known), self.other)
        b.jump_if_other(self.buffer, known[:_EVENT_BEGIN], self.other)
        b.free(size)
        self._take_pid()
        b.place(both)

    def _expect(self, ours: Register, event: bytes) -> None:
        b = self.b
        size = self._next(ours)
        b.jump_unless(size, len(event), self.other)
        b.jump_if_other(self.buffer, event, self.other)
        b.free(size)

    def _take_pid(self) -> None:
        b = self.b
        pid = b.load(self.buffer + _EVENT_BEGIN, 8)
        b.set(self.first, pid)
        b.free(pid)

    def _let_go(self, ours: Register) -> None:
        """Let it become the program, and see that it has.  Unless it says that it could not, it may have run from here
        on: it must not be run anew."""
        b = self.b
        b.purpose("process.args")
        self._answer(ours, b"\0")
        self.other = self.attend
        size = self._next(ours)
        b.jump_unless(size, 0, self.undo)
        b.free(size)
        self.close(ours)

    def _next(self, ours: Register) -> Register:
        b = self.b
        nothing = {WHEN_ZERO: self.other, WHEN_ERROR: self.other}
        b.do("ppoll", self.polled, 1, self.patience, 0, linux.SIGNAL_SET_SIZE, on=nothing)
        return self.get("recvfrom", ours, self.buffer, _HEARD, 0, 0, 0)

    def _answer(self, ours: Register, data: bytes) -> None:
        self.do("sendto", ours, data, len(data), linux.MSG_NOSIGNAL, 0, 0)

    def _know(self, directory: Register) -> None:
        """Write down who the first process is, before it is anybody's program."""
        b = self.b
        self.do("wait4", self.executor, 0, 0, 0)
        b.set(self.executor, 0)
        path = b.variable(b"/proc/".ljust(6 + DIGITS_SIZE, b"\0"))
        b.digits(path + 6, self.first)
        process = self.get("openat", linux.AT_FDCWD, path, linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC, 0)
        stat = self.get("openat", process, "stat", linux.O_RDONLY | linux.O_CLOEXEC, 0)
        size = self.get("read", stat, self.buffer, _STAT_SIZE)
        self._write(directory, f".{self.s.stat}", self.buffer, size)
        self.do("renameat2", directory, f".{self.s.stat}", directory, self.s.stat, 0)
        self.close(stat, process)
        b.free(size)
        self.process = self.get("pidfd_open", self.first, 0)

    # See it end

    def _wait_and_remove(self, directory: Register, signals: Register) -> None:
        b = self.b
        ended, killed, known = Label(), Label(), Label()
        b.purpose("the end")
        b.store(self.polled, 4, self.process)
        b.store(self.polled + 8, 4, signals)
        self.do("ppoll", self.polled, 2, 0, 0, linux.SIGNAL_SET_SIZE)
        happened = b.load(self.polled + 4, 4)
        b.jump_unless(happened, 0, ended, mask=0xFFFF0000)
        b.jump(self.attend)
        b.place(ended)
        info = b.space(128)
        self.do("waitid", linux.P_PID, self.first, info, linux.WEXITED, 0)
        code, self.status = b.load(info + 8, 4), b.register()
        number = b.load(info + 24, 4)
        b.jump_unless(code, linux.CLD_EXITED, killed)
        b.set(self.status, number)
        b.jump(known)
        b.place(killed)
        b.differ(self.status, number, 128)  # a signal is less
        b.place(known)
        self.other = self.finish
        self._remove(directory)
        b.do("exit_group", self.status)

    def _remove(self, directory: Register) -> None:
        """Unless somebody has removed it already.  What is not the usual is left to the interpreter."""
        b = self.b
        removed, there = Label(), Label()
        self.do("flock", directory, linux.LOCK_EX | linux.LOCK_NB)
        b.do("faccessat2", directory, "state.json", linux.F_OK, 0, on={ENOENT: removed, WHEN_ERROR: self.other})
        b.jump(there)
        b.place(removed)
        b.do("exit_group", self.status)
        b.place(there)
        for path in self.s.cgroups:
            b.do("unlinkat", linux.AT_FDCWD, path, linux.AT_REMOVEDIR, ignore=GONE, on={WHEN_ERROR: self.other})
        for name in ("config.json", self.s.stat, "state.json"):
            self.do("unlinkat", directory, name, 0)
        self.do("unlinkat", linux.AT_FDCWD, self.s.directory, linux.AT_REMOVEDIR)

    def _hand_over(self) -> None:
        """The interpreter goes on, with the status where that is known; it is this very process, so it can wait."""
        b, s = self.b, self.s
        b.purpose("the end", "unable to run the interpreter")
        b.place(self.finish)
        b.digits(self.status_text, self.status)
        b.place(self.attend)
        b.digits(self.pid_text, self.first)
        words = [b.string(each) for each in s.attend]
        arguments = b.pointers([*words, self.pid_text, self.status_text])
        b.do("execve", s.python, arguments, b.environment, ignore=(WHEN_ERROR,))
        b.do("waitid", linux.P_PID, self.first, 0, linux.WEXITED, 0, ignore=(WHEN_ERROR,))
        b.do("exit_group", 1)

    # Take it back

    def _take_back(self, ours: Register) -> None:
        b, s = self.b, self.s
        b.purpose("taken back")
        b.place(self.unknown)
        self._learn_pid(ours)
        b.place(self.undo)
        b.do("close", ours, ignore=(WHEN_ERROR,))
        for process in (self.first, self.executor):
            none = Label()
            b.jump_if(process, none, zero=True)
            b.do("kill", process, linux.SIGKILL, ignore=(WHEN_ERROR,))
            b.do("wait4", process, 0, linux.WALL, 0, ignore=(WHEN_ERROR,))
            b.place(none)
        for path, made in reversed(self.made.items()):
            none = Label()
            b.jump_if(made, none, zero=True)
            b.do("unlinkat", linux.AT_FDCWD, path, linux.AT_REMOVEDIR, ignore=(WHEN_ERROR,))
            b.place(none)
        for name in ("config.json", ".state.json", f".{s.stat}", s.stat, "state.json"):
            b.do("unlinkat", linux.AT_FDCWD, f"{s.directory}/{name}", 0, ignore=(WHEN_ERROR,))
        b.do("unlinkat", linux.AT_FDCWD, s.directory, linux.AT_REMOVEDIR, ignore=(WHEN_ERROR,))

    def _learn_pid(self, ours: Register) -> None:
        """Who has failed before it was told of is waited for, too.  The executor tells of it, and ends."""
        b = self.b
        b.do("wait4", self.executor, 0, linux.WALL, 0, on={WHEN_ERROR: self.undo})
        b.set(self.executor, 0)
        b.do("recvfrom", ours, self.buffer, _HEARD, linux.MSG_DONTWAIT, 0, 0, on={WHEN_ERROR: self.undo})
        b.jump_if_other(self.buffer, self.s.heard[0][0][:_EVENT_BEGIN], self.undo)
        self._take_pid()


def _signals(b: Builder, numbers: list[int]) -> int:
    """The address of a set of signals."""
    return b.constant(sum(1 << number - 1 for number in numbers).to_bytes(8, "little"))
