"""Hooks that run inside the container's namespaces: createContainer and startContainer.

The executor clones the hook, gives it the state on stdin, waits for it with a timeout, and reports what it wrote
when it failed.  The hooks of the runtime's namespaces are the supervisor's (runtime/hooks.py).
"""

from __future__ import annotations

from _struct import pack
from errno import EINTR, EINVAL

from orlop.plan import events
from orlop.plan.command import environment_block
from orlop.plan.seccomp import listens, load_filter
from orlop.program import linux
from orlop.program.layout import WHEN_NOT_ZERO, WHEN_ZERO
from orlop.program.ops import Label
from orlop.spec.json import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.builder import Builder
    from orlop.program.ops import Register
    from orlop.spec.types import Hook

POLLIN = 1
_INTERRUPTIONS = 2  # that a wait survives; nothing but a debugger interrupts a process without handlers
_FIRST = 3  # the descriptor after the standard streams
ETIME = 62
ECHILD = 10
REPORT = ".hook"  # behind the name of the fifo
REPORT_HEAD = "<IiiIQ"  # event, its value, si_code, size of the wording; of what was written to the standard output
TAIL = 4096  # bytes of what a hook wrote that are told
_SEEK_END = 2


def open_report(c: Construction) -> None:
    """After `create` nobody listens any more: where a startContainer hook fails, `start` finds out from a file beside
    the fifo."""
    if c.request.fifo is not None and (c.spec.get("hooks") or {}).get("startContainer"):
        c.b.purpose("hooks.startContainer", "unable to make a file for what becomes of the hooks")
        path = c.request.fifo + REPORT
        c.report = c.b.get("openat", linux.AT_FDCWD, path, linux.O_WRONLY | linux.O_CREAT | linux.O_CLOEXEC, 0o600)


def create_container_hooks(c: Construction) -> None:
    """Their paths are the runtime's, their namespaces the container's; the working directory is the root file
    system."""
    rows = (c.spec.get("hooks") or {}).get("createContainer") or []
    if rows:
        assert c.root is not None
        c.b.purpose("hooks.createContainer", "unable to enter the root file system")
        c.b.do("fchdir", c.root)
    for index, hook in enumerate(rows):
        run_hook(c, f"hooks.createContainer[{index}]", f"error running createContainer hook #{index}", hook, "creating")


def start_container_hooks(c: Construction, home_entry: int | None) -> None:
    """After start was asked for, in the container's root, as the container's user, in the process's environment unless
    the hook has its own."""
    for index, hook in enumerate((c.spec.get("hooks") or {}).get("startContainer") or []):
        env = environment_block(c, home_entry) if hook.get("env") is None else None
        field, wording = f"hooks.startContainer[{index}]", f"error running startContainer hook #{index}"
        run_hook(c, field, wording, hook, "created", env)


def run_hook(c: Construction, field: str, wording: str, hook: Hook, status: str, env: int | None = None) -> None:
    """The operations that run one hook to its end; `env` is the address of an environment in place of its own."""
    b = c.b
    b.purpose(field, wording)
    state = dump({**c.request.state, "status": status, "pid": 1 if c.creates("pid") else 0})
    given = b.get("memfd_create", "state", linux.MFD_CLOEXEC)
    b.do("write", given, state, len(state.encode()))
    b.do("lseek", given, 0, 0)
    out = b.get("memfd_create", "stdout", linux.MFD_CLOEXEC)
    err = b.get("memfd_create", "stderr", linux.MFD_CLOEXEC)
    handle = b.space(8)
    filtered = status == "created" and listens(c)
    parent = Label()
    if filtered:  # profiles refuse clone3, whose flags no filter can see
        child = b.get("clone", linux.CLONE_PIDFD | linux.SIGCHLD, 0, handle, 0, 0, on={WHEN_NOT_ZERO: parent})
    else:
        args = b.clone_args(linux.CLONE_PIDFD, linux.SIGCHLD)
        b.store(args + 8, 8, handle)  # clone_args.pidfd
        child = b.get("clone3", args, linux.CLONE_ARGS_SIZE, on={WHEN_NOT_ZERO: parent})
    for number, stream in enumerate((given, out, err)):
        b.do("dup3", stream, number, 0)
    if not filtered or c.request.control > _FIRST:
        b.do("close_range", _FIRST, 0xFFFF_FFFF, linux.CLOSE_RANGE_CLOEXEC)
    argv = b.strings(hook.get("args") or [hook["path"]])
    if status == "created" and not filtered:  # startContainer: the filter holds for it too, as in runc
        load_filter(c)
    b.do("execve", hook["path"], argv, b.strings(hook.get("env") or []) if env is None else env)
    b.place(parent)
    b.free(child)
    pidfd = b.load(handle, 4)
    if hook.get("timeout") is not None:
        _await(c, pidfd, hook["timeout"], (out, err), wording)
    _collect(c, pidfd, (out, err), wording)
    b.close(pidfd, given, out, err)


def _write_report(  # type: ignore[no-untyped-def]
    b: Builder, report: Register, head: bytes, streams, wording: str, *, status=None, code=None
) -> None:
    """Only with calls that the profile of a process with a listener must allow anyway."""
    text = wording.encode("utf-8", "surrogateescape")
    row = b.variable(head)
    if status is not None:
        b.store(row + 4, 4, status)
        b.store(row + 8, 4, code)
    b.store(row + 12, 4, len(text))
    tails = [_tail(b, stream) for stream in streams]
    b.store(row + 16, 8, tails[0][1])
    b.do("write", report, row, 24)
    b.do("write", report, text, len(text))
    for buffer, size in tails:
        b.do("write", report, buffer, size)
        b.free(size)


def _tail(b: Builder, stream: Register) -> tuple[int, Register]:
    """The last that was written to a stream: where it is, and how much."""
    buffer = b.space(TAIL)
    short, there = Label(), Label()
    b.do("lseek", stream, -TAIL, _SEEK_END, on={EINVAL: short})
    b.jump(there)
    b.place(short)
    b.do("lseek", stream, 0, 0)
    b.place(there)
    return buffer, b.get("read", stream, buffer, TAIL)


def _await(c: Construction, pidfd, seconds: int, streams, wording: str) -> None:  # type: ignore[no-untyped-def]
    b = c.b
    ended, late = Label(), Label()
    poll = b.variable(pack("<ihh", -1, POLLIN, 0))
    left = b.variable(pack("<qq", seconds, 0))  # of its own: the kernel writes the time that is left into it
    b.store(poll, 4, pidfd)
    for _ in range(_INTERRUPTIONS):
        again = Label()
        b.do("ppoll", poll, 1, left, 0, 8, on={WHEN_ZERO: late, EINTR: again})
        b.jump(ended)
        b.place(again)
    b.do("ppoll", poll, 1, left, 0, 8, on={WHEN_ZERO: late})
    b.jump(ended)
    b.place(late)
    b.do("pidfd_send_signal", pidfd, linux.SIGKILL, 0, 0)
    b.do("waitid", linux.P_PIDFD, pidfd, 0, linux.WEXITED, 0)
    if c.report is None:
        b.event(events.HOOK_TIMEOUT, seconds, fds=streams)
    else:
        _write_report(b, c.report, pack(REPORT_HEAD, events.HOOK_TIMEOUT, seconds, 0, 0, 0), streams, wording)
    b.fail(ETIME)
    b.place(ended)


def _collect(c: Construction, pidfd, streams, wording: str) -> None:  # type: ignore[no-untyped-def]
    b = c.b
    done = Label()
    info = b.space(128)
    b.do("waitid", linux.P_PIDFD, pidfd, info, linux.WEXITED, 0)
    status = b.load(info + 24, 4)  # si_status: of an exit 0 only when all went well, of a signal never
    b.jump_if(status, done, zero=True)
    if c.report is None:
        b.event(events.HOOK_FAILED, status, payload=info + 8, size=4, fds=streams)  # si_code: exited, or killed
    else:
        code = b.load(info + 8, 4)
        head = pack(REPORT_HEAD, events.HOOK_FAILED, 0, 0, 0, 0)
        _write_report(b, c.report, head, streams, wording, status=status, code=code)
        b.free(code)
    b.fail(ECHILD)
    b.place(done)
    b.free(status)
