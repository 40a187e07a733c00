"""Hooks that run inside the container's namespaces: createContainer and startContainer.

The executor clones the hook, gives it the state on stdin, waits for it with a timeout, and reports what it wrote
when it failed.  The hooks of the runtime's namespaces are the supervisor's (runtime/hooks.py).
"""

from __future__ import annotations

from _struct import pack
from errno import EINTR

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
    from orlop.spec.types import Hook

POLLIN = 1
_INTERRUPTIONS = 2  # that a wait survives; nothing but a debugger interrupts a process without handlers
_FIRST = 3  # the descriptor after the standard streams
ETIME = 62
ECHILD = 10


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
        _await(c, pidfd, hook["timeout"], (out, err))
    _collect(c, pidfd, (out, err))
    b.close(pidfd, given, out, err)


def _await(c: Construction, pidfd, seconds: int, streams) -> None:  # type: ignore[no-untyped-def]
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
    b.event(events.HOOK_TIMEOUT, seconds, fds=streams)
    b.fail(ETIME)
    b.place(ended)


def _collect(c: Construction, pidfd, streams) -> None:  # type: ignore[no-untyped-def]
    b = c.b
    done = Label()
    info = b.space(128)
    b.do("waitid", linux.P_PIDFD, pidfd, info, linux.WEXITED, 0)
    status = b.load(info + 24, 4)  # si_status: of an exit 0 only when all went well, of a signal never
    b.jump_if(status, done, zero=True)
    b.event(events.HOOK_FAILED, status, payload=info + 8, size=4, fds=streams)  # si_code: exited, or killed
    b.fail(ECHILD)
    b.place(done)
    b.free(status)
