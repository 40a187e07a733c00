"""run: create and start in one process, without a fifo between them."""

from __future__ import annotations

import time

from orlop import system as os
from orlop.cgroup import files
from orlop.errors import NotFound, OrlopError
from orlop.runtime.creation import Creation
from orlop.runtime.destroy import destroy
from orlop.runtime.foreground import Foreground
from orlop.runtime.handover import check_console, hand_over
from orlop.runtime.waiting import Deferral, drive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.account import Destination
    from orlop.runtime.launch import Launch
    from orlop.runtime.options import Called, Options
    from orlop.runtime.waiting import Steps
LOCK_PATIENCE = 10.0  # seconds for another command to end, which may be to delete the container


def run(container_id: str, options: Options, *, call: Called | None = None) -> int:
    """Run a container; its exit status, 128 plus the signal that ended it, or 0 when detached.

    Blocks until it ends, unless detached.  `call` is that of the interpreter, for who may run the same again without
    it (runtime/replay.py).  Raises OrlopError; then nothing is left behind.
    """
    creation = Creation(container_id, options, fifo=False)
    check_console(options, terminal=creation.terminal, detached=options.detach)
    if options.detach:
        with Deferral() as deferral:
            drive(_start(creation, options, deferral=deferral), deferral.readable).release()
        creation.planning.remember()
        return 0
    destination = _destination(options)
    accounted = destination is not None or options.keep
    hooks = bool(creation.bundle.spec.get("hooks"))
    orphans = not options.no_subreaper and "pid" not in creation.record.namespaces
    if orphans:
        from orlop.runtime.subreaper import become_subreaper

        become_subreaper()
    if call is not None and not accounted and not orphans:
        files.journal = []
    foreground = Foreground(terminal=creation.terminal, stoppable=hooks, accounted=accounted, orphans=orphans)
    try:
        launch = drive(_start(creation, options, foreground), foreground.readable)
        try:
            creation.planning.remember()
            if call is not None and files.journal and launch.at_once and creation.planning.recalled:
                from orlop.runtime.replay import keep

                keep(creation, call)
            _import_for_the_end(creation, accounted=accounted)
            status = foreground.wait(launch.pid)
            if accounted:
                _account(creation, options, foreground, destination, launch.began)
            return status
        finally:
            launch.close_terminal()
            drive(_end(creation, options), foreground.readable)
    finally:
        foreground.close()
        if destination is not None:
            destination.abandon()


def _import_for_the_end(creation: Creation, *, accounted: bool) -> None:
    """Import now what the end needs: it may come after days, when another version has replaced our files."""
    if accounted:
        import orlop.runtime.account
    if (creation.bundle.spec.get("hooks") or {}).get("poststop"):
        import orlop.runtime.hooks
    if creation.record.intel_rdt_made:
        import orlop.host.resctrl  # noqa: F401
    if "pid" not in creation.record.namespaces:
        creation.cgroup.freezer()


def _destination(options: Options) -> Destination | None:
    if options.account is None:
        return None
    from orlop.runtime.account import Destination

    return Destination(options.account)


def _account(
    creation: Creation, options: Options, foreground: Foreground, destination: Destination | None, began: int
) -> None:
    """Tell how the container ended and what it used.  It has run: its exit status is not lost over this."""
    from orlop.runtime.account import collect, elapsed, keep

    assert foreground.ended is not None
    status, usage = foreground.ended
    account = collect(creation.record, status=status, usage=usage, wall_time=elapsed(began))
    try:
        if destination is not None:
            destination.write(account)
        if options.keep and creation.store.exists():
            keep(creation.store, account)
    except OrlopError as error:
        options.log("error", str(error))


def _start(
    creation: Creation, options: Options, foreground: Foreground | None = None, deferral: Deferral | None = None
) -> Steps[Launch]:
    launch = yield from creation.prepare()
    try:
        hand_over(launch, options, b"standard", console=creation.console, foreground=foreground)
        notifications = None
        if options.notify_socket:
            from orlop.runtime.notify import listen

            notifications = listen(creation.store.path, options)
        if options.monitor:
            from orlop.runtime.monitor import begin

            begin(creation.store, time.monotonic_ns())
        yield from launch.go()
        creation.tell_times()
        if (creation.bundle.spec.get("hooks") or {}).get("poststart"):
            from orlop.runtime.hooks import run_hooks

            yield from run_hooks(creation.bundle.spec, "poststart", creation.state("running", launch.pid))
        if foreground is not None:
            foreground.hold()
        if notifications is not None:
            if foreground is None:
                yield from notifications.forward(launch.pid, launch.pid)
            else:
                notifications.forward_in_thread(launch.pid)
        if deferral is not None:
            deferral.check()
    except BaseException:
        yield from creation.undo()
        raise
    return launch


def _end(creation: Creation, options: Options) -> Steps[None]:
    if options.keep:
        return
    try:
        lock = creation.store.lock(time.monotonic() + LOCK_PATIENCE)
    except NotFound:
        return  # somebody else deleted it meanwhile
    alone = "pid" in creation.record.namespaces
    try:
        yield from destroy(creation.store, creation.record, creation.cgroup, creation.bundle.spec, options, alone=alone)
    finally:
        os.close(lock)
