"""delete: remove a container that has stopped, or, with force, any; also what a crash left of one."""

from __future__ import annotations

import time
from _signal import pidfd_send_signal

from orlop import system as os
from orlop.errors import NotFound, OrlopError, StateError
from orlop.host.process import handle
from orlop.runtime.container import CREATED, STOPPED, Found
from orlop.runtime.destroy import destroy
from orlop.runtime.waiting import drive, readable
from orlop.state.store import BRIEF, Store, check_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.runtime.account import Account
    from orlop.runtime.options import Called, Options

_SIGKILL = 9
_PATIENCE = 10.0  # seconds for a killed process to end: as long as runc waits
_LOCK_PATIENCE = 2.0  # seconds for another command to end, with force


def delete(
    container_id: str,
    options: Options,
    *,
    force: bool = False,
    tell: Callable[[Account], None] | None = None,
    call: Called | None = None,
) -> None:
    """Remove a container.  `tell` is given its final account before; what that raises keeps it from being removed.
    `call` is that of the interpreter, for who may do the same again without it (runtime/kept.py).

    Raises StateError when it runs and `force` is not given, NotFound for an unknown id without it.
    """
    try:
        found = Found(container_id, options)
    except NotFound:
        Store(os.path.abspath(options.root), container_id).remove()
        if force:
            return
        raise
    except OrlopError as error:
        check_id(container_id)
        if not force:
            raise
        options.log("warning", f"{error}; its state is removed, and its cgroup, if there is one, is not")
        Store(os.path.abspath(options.root), container_id).remove()
        return
    deadline = None
    if force:  # before the lock, whose holder may wait for the container: a `start` for what keeps it in a hook
        _kill(found)
        deadline = time.monotonic() + _LOCK_PATIENCE
    try:
        lock = found.store.lock(deadline)
    except NotFound:  # its `run` has removed it, since it ended
        if force:
            return
        raise
    try:
        status = found.status()
        if status != STOPPED:
            if status != CREATED and not force:
                message = f"cannot delete container {container_id} that is not stopped: {status}"
                raise StateError(message, hint="stop it first with the command kill, or use --force")
            _kill(found)
        if call is not None and status == STOPPED and os.path.exists(f"{found.store.path}/{BRIEF}"):
            from orlop.runtime.keeping import keep_delete

            keep_delete(found, options, call)
        if tell is not None:
            from orlop.runtime.account import final_account

            tell(final_account(found))
        _destroy(found, options)
    finally:
        os.close(lock)


def take_apart(found: Found, options: Options) -> None:
    """Kill a container and remove it; its lock is held."""
    _kill(found)
    _destroy(found, options)


def _destroy(found: Found, options: Options) -> None:
    if found.record.monitor:
        from orlop.runtime.monitor import await_end

        await_end(found.record)
    spec = found.config() if _has_poststop(found) else None
    alone = "pid" in found.record.namespaces and found.record.init_process_pid != 0
    drive(destroy(found.store, found.record, found.cgroup, spec, options, alone=alone))


def _has_poststop(found: Found) -> bool:
    """Most configs have no such hooks, and need not be parsed to see it; a crash may have come before the config was
    kept."""
    try:
        return b'"poststop"' in found.store.config()
    except FileNotFoundError:
        return False


def _kill(found: Found) -> None:
    pidfd = handle(found.record.init_process_pid, found.record.init_process_start)
    if pidfd is None:
        return
    try:
        try:
            pidfd_send_signal(pidfd, _SIGKILL)
        except ProcessLookupError:
            return  # it has ended, and was reaped, since we looked
        found.cgroup.release()
        if not readable(pidfd, time.monotonic() + _PATIENCE):
            raise OrlopError("container init still running")
    finally:
        os.close(pidfd)
