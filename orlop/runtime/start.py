"""start: let a created container become its program."""

from __future__ import annotations

import errno
import time

from orlop import system as os
from orlop.errors import HookError, OrlopError, StateError
from orlop.runtime.container import CREATED, PAUSED, STOPPED, Found
from orlop.runtime.document import state_document
from orlop.runtime.waiting import drive
from orlop.state.store import BRIEF, FIFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Called, Options
    from orlop.runtime.waiting import Steps

_REFUSALS = {
    STOPPED: "cannot start a container that has stopped",
    PAUSED: "cannot start a container in the paused state",
}


def start(container_id: str, options: Options, *, call: Called | None = None) -> None:
    """Start it.  `call` is that of the interpreter, for who may do the same again without it (runtime/kept.py).

    Raises StateError unless it is created and waiting; HookError when a hook fails, and then nothing is left of the
    container (runtime-spec, runtime.md "Lifecycle").
    """
    found = Found(container_id, options)
    lock = found.store.lock()
    try:
        status = found.status()
        if status != CREATED:
            raise StateError(_REFUSALS.get(status, "cannot start an already running container"))
        notifications = None
        if options.notify_socket:
            from orlop.runtime.notify import listen

            notifications = listen(found.store.path, options)
        if found.record.monitor:
            from orlop.runtime.monitor import begin

            begin(found.store, time.monotonic_ns())
        fd = _write(f"{found.store.path}/{FIFO}")
        try:
            os.unlink(f"{found.store.path}/{FIFO}")
            _run_hooks(found, fd)
            if call is not None and os.path.exists(f"{found.store.path}/{BRIEF}"):
                from orlop.runtime.keeping import keep_start

                keep_start(found, options, call)
        except HookError:
            from orlop.runtime.delete import take_apart

            take_apart(found, options)
            raise
        finally:
            os.close(fd)
    finally:
        os.close(lock)
    if notifications is not None:  # past the lock: until the container is ready other commands must work on it
        pid = found.record.init_process_pid
        drive(notifications.forward(pid, pid))


def _write(path: str) -> int:
    """The container's process holds the fifo open to read, so this does not wait; without a reader it is dead.

    The descriptor that is returned tells an error to those who poll it, once the last reader has closed the fifo.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise StateError("container process is already dead") from None
        raise OrlopError(f"unable to open {path}: {(error.strerror or '').lower()}") from None
    try:
        os.write(fd, b"0")
    except BaseException:
        os.close(fd)
        raise
    return fd


def _executed(fd: int) -> Steps[None]:
    """With such hooks the process keeps the fifo until it executes its program, or dies."""
    yield (fd, None)


def _run_hooks(found: Found, fd: int) -> None:
    """startContainer hooks run in the container, before the program; poststart hooks once it is executed, and before
    start returns (runtime-spec, config.md "Posix-platform Hooks").  Most configs have none, and need not be parsed to
    see it."""
    config = found.store.config()
    if b'"startContainer"' not in config and b'"poststart"' not in config:
        return
    drive(_executed(fd))
    report = found.store.report()
    if report:
        from orlop.runtime.failure import reported_hook

        raise reported_hook(report)
    from orlop.runtime.hooks import run_hooks

    record = found.record
    drive(run_hooks(found.config(), "poststart", state_document(record, "running", record.init_process_pid)))
