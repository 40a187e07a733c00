"""The hooks of the runtime's own namespaces: prestart, createRuntime, poststart, poststop."""

from __future__ import annotations

import time

from orlop import system as os
from orlop.errors import HookError, OrlopError
from orlop.executor.link import SIGNALS, nothing_else
from orlop.runtime.waiting import ends, reap
from orlop.spec.json import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import Hook, Spec


def run_hooks(spec: Spec, kind: str, state: dict[str, object]) -> Steps[None]:
    """Run all hooks of a kind in their order.  Raises HookError at the first that fails."""
    rows: list[Hook] = (spec.get("hooks") or {}).get(kind) or []  # type: ignore[assignment]
    for index, hook in enumerate(rows):
        yield from _run(kind, index, hook, dump(state).encode())


def run_hooks_in_spite(spec: Spec, kind: str, state: dict[str, object]) -> Steps[list[str]]:
    """Run all hooks of a kind; one that fails does not keep the others from running.  The failures' messages."""
    failures = []
    rows: list[Hook] = (spec.get("hooks") or {}).get(kind) or []  # type: ignore[assignment]
    for index, hook in enumerate(rows):
        try:
            yield from _run(kind, index, hook, dump(state).encode())
        except HookError as error:
            failures.append(str(error))
    return failures


def _run(kind: str, index: int, hook: Hook, state: bytes) -> Steps[None]:
    wording, field = f"error running {kind} hook #{index}", f"hooks.{kind}[{index}]"
    given, out, err = (os.memfd_create(name) for name in ("state", "stdout", "stderr"))
    try:
        os.write(given, state)
        os.lseek(given, 0, os.SEEK_SET)
        streams = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((given, out, err))]
        env = dict(entry.partition("=")[::2] for entry in hook.get("env") or [])
        try:
            pid = os.posix_spawn(
                hook["path"],
                hook.get("args") or [hook["path"]],
                env,
                file_actions=[*streams, *nothing_else()],
                setsigmask=(),  # `run` holds signals back, and a hook must not
                setsigdef=SIGNALS,
            )
        except OSError as error:
            raise HookError(f"{wording}: {hook['path']}: {(error.strerror or '').lower()}", field=field) from None
        code = yield from _end(pid, hook.get("timeout"))
        if code is None:
            raise HookError(f"{wording}: hook ran past specified timeout of {hook['timeout']:.1f}s", field=field)
        if code:
            from orlop.runtime.failure import signal_words

            how = f"exit status {code}" if code > 0 else f"signal: {signal_words(-code)}"
            texts = [
                os.pread(fd, 4096, max(0, os.fstat(fd).st_size - 4096)).decode("utf-8", "replace") for fd in (out, err)
            ]
            raise HookError(f"{wording}: {how}, stdout: {texts[0]}, stderr: {texts[1]}", field=field)
    finally:
        for fd in (given, out, err):
            os.close(fd)


def _end(pid: int, timeout: int | None) -> Steps[int | None]:
    """The exit code of a hook; None when it was killed because its time was over."""
    if not (yield from ends(pid, None if timeout is None else time.monotonic() + timeout)):
        return None
    status = reap(pid)
    if status is None:
        raise OrlopError("a hook was reaped by another part of this program, so nobody knows how it ended")
    return os.waitstatus_to_exitcode(status)
