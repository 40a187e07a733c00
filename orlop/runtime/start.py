"""start: let a created container become its program."""

from __future__ import annotations

import errno
import time

from orlop import system as os
from orlop.errors import OrlopError, StateError
from orlop.host.process import handle
from orlop.runtime.container import CREATED, PAUSED, STOPPED, Found
from orlop.runtime.document import state_document
from orlop.runtime.waiting import drive
from orlop.state.store import FIFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options
    from orlop.runtime.waiting import Steps

_REFUSALS = {
    STOPPED: "cannot start a container that has stopped",
    PAUSED: "cannot start a container in the paused state",
}


def start(container_id: str, options: Options) -> None:
    """Start it.  Raises StateError unless it is created and waiting."""
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
            _poststart(found, fd)
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
    """With poststart hooks the process keeps the fifo until it executes its program, or dies."""
    yield (fd, None)


def _poststart(found: Found, fd: int) -> None:
    """After the process has executed its program, and before start returns (runtime-spec, config.md "Poststart")."""
    if not _has_poststart(found):
        return
    drive(_executed(fd))
    from orlop.runtime.hooks import run_hooks

    spec = found.config()
    record = found.record
    state = state_document(record, "running", record.init_process_pid)
    try:
        drive(run_hooks(spec, "poststart", state))
    except OrlopError:
        pidfd = handle(record.init_process_pid, record.init_process_start)
        if pidfd is not None:
            from _signal import pidfd_send_signal

            pidfd_send_signal(pidfd, 9)
            os.close(pidfd)
        raise


def _has_poststart(found: Found) -> bool:
    """Most configs have none, and need not be parsed to see it."""
    return b'"poststart"' in found.store.config()
