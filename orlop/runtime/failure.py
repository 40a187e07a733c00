"""What an executor reports, turned into an error that names the field, the call, the path and the remedy."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import ExecError, HookError, KernelError
from orlop.plan import events
from orlop.program.layout import CALL, PROGRAM_BASE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.executor.link import Event
    from orlop.program.ops import Op, Program

_CLD_EXITED = 1
_TAIL = 4096  # bytes of what a hook wrote that are told
_NOT_FOUND = "executable file not found in $PATH"


def failure(program: Program, event: Event) -> KernelError:
    """The error of an event FAILED."""
    if event.op >= len(program):
        return KernelError(event.value, f"the executor refused its program: {os.strerror(event.value)}")
    op = program.op(event.op)
    purpose = op.purpose
    reason = os.strerror(event.value).lower()
    hint = (purpose.hints or {}).get(event.value)
    path = _path(program, op)
    if purpose.field == "process.args[0]":
        if event.value == errno.ENOENT and (op.kind != CALL or (op.name == "faccessat2" and not path)):
            reason = _NOT_FOUND
            hint = "the program must be in the container, in a directory of PATH in process.env that its user may enter"
        elif event.value == errno.EACCES and op.kind != CALL:
            reason = f"is a directory: {reason}"  # both words: Docker makes the exit status 126 of either, by version
        elif op.name == "faccessat2":
            reason = f"stat {path}: {reason}" if event.value == errno.ENOENT else reason
        return ExecError(
            event.value, f"{purpose.wording}: {reason}", call=op.name or None, field=purpose.field, path=path, hint=hint
        )
    if op.name == "clone3" and event.value == errno.EBUSY:  # as CLONE_INTO_CGROUP alone says; runc's words
        return KernelError(
            event.value,
            f"error adding pid of the process to cgroups: {op.name}: {reason}",
            call=op.name,
            field="linux.cgroupsPath",
            hint="a cgroup that gives controllers to those below it takes no process itself: name one of them",
        )
    mounting = purpose.field.startswith("mounts[")
    if op.name == "openat2" and event.value == errno.ENOTDIR and mounting:
        reason += ": the place to mount on, or one above it, is a file"
    if op.name == "move_mount" and event.value == errno.EINVAL and mounting:
        # Docker looks for "not a directory", and asks then whether a directory is mounted onto a file.
        # ("is a directory" would make its exit status 126, which is that of a command.)
        reason += ": the source is not a directory, and the place to mount on is one"
        hint = "mount a directory there, or choose another destination"
    what = "=".join(_strings(program, op)) if op.name == "fsconfig" else path
    call = f"{op.name} {what}" if what else op.name
    message = ": ".join(part for part in (purpose.wording, call, reason) if part)
    return KernelError(event.value, message, call=op.name or None, field=purpose.field, path=path, hint=hint)


def _path(program: Program, op: Op) -> str | None:
    """The first string among the arguments of a call: what it was done to."""
    return next(iter(_strings(program, op)), None)


def _strings(program: Program, op: Op) -> list[str]:
    """The strings among the arguments of a call: a path, a file system, an option and its value."""
    if op.kind != CALL:
        return []
    from orlop.program.calls import CALLS

    pairs = zip(op.args, CALLS[op.name][2].split(), strict=False)
    texts = [
        program.string_at(arg)
        for arg, what in pairs
        if what.endswith(":str") and isinstance(arg, int) and arg >= PROGRAM_BASE
    ]
    return [text for text in texts if text]


def hook_failure(program: Program, event: Event) -> HookError:
    """The error of HOOK_FAILED or HOOK_TIMEOUT; closes the event's descriptors."""
    purpose = program.purposes[event.op]
    out, err = [*(_tail(fd) for fd in event.fds), "", ""][:2]
    code = int.from_bytes(event.payload, "little")
    return _hook_error(event.kind, event.value, code, purpose.wording, (out, err), purpose.field)


def reported_hook(data: bytes) -> HookError:
    """The error that a container's process has left in its file when nobody listened any more (plan/hooks.py)."""
    from _struct import Struct

    from orlop.plan.hooks import REPORT_HEAD

    head = Struct(REPORT_HEAD)
    kind, value, code, size, written = head.unpack_from(data.ljust(head.size, b"\0"))  # it may have been killed
    begin = head.size + size
    end = begin + written
    wording, out, err = (
        part.decode("utf-8", "replace") for part in (data[head.size : begin], data[begin:end], data[end:])
    )
    return _hook_error(kind, value, code, wording, (out, err), f"hooks.startContainer[{wording.rpartition('#')[2]}]")


def _hook_error(kind: int, value: int, code: int, wording: str, outputs: tuple[str, str], field: str) -> HookError:
    if kind == events.HOOK_TIMEOUT:
        return HookError(f"{wording}: hook ran past specified timeout of {value:.1f}s", field=field)
    how = f"exit status {value}" if code == _CLD_EXITED else f"signal: {signal_words(value)}"
    return HookError(f"{wording}: {how}, stdout: {outputs[0]}, stderr: {outputs[1]}", field=field)


def out_of_memory() -> KernelError:
    """The error of a process that the kernel has killed, as engines know it."""
    hint = "raise linux.resources.memory.limit"
    message = "container init was OOM-killed (memory limit too low?)"
    return KernelError(errno.ENOMEM, message, field="linux.resources.memory.limit", hint=hint)


def signal_words(number: int) -> str:
    """What a signal means, as runc tells it: `killed`, `bad system call`."""
    from signal import strsignal

    return (strsignal(number) or f"signal {number}").lower()


def _tail(fd: int) -> str:
    """The last of what a hook wrote."""
    try:
        size = os.fstat(fd).st_size
        return os.pread(fd, _TAIL, max(0, size - _TAIL)).decode("utf-8", "replace")
    finally:
        os.close(fd)
