"""run: create and start in one process, without a fifo between them."""

from __future__ import annotations

from orlop import system as os
from orlop.runtime.create import Creation, check_console
from orlop.runtime.destroy import destroy
from orlop.runtime.foreground import Foreground
from orlop.runtime.waiting import drive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.launch import Launch
    from orlop.runtime.options import Options
    from orlop.runtime.waiting import Steps


def run(container_id: str, options: Options) -> int:
    """Run a container; its exit status, 128 plus the signal that ended it, or 0 when detached.

    Blocks until it ends, unless detached.  Raises OrlopError; then nothing is left behind.
    """
    creation = Creation(container_id, options)
    check_console(creation, options, detached=options.detach)
    if options.detach:
        drive(_start(creation, options)).release()
        return 0
    foreground = Foreground(terminal=creation.terminal)
    try:
        launch = drive(_start(creation, options, foreground))
        try:
            return foreground.wait(launch.pid)
        finally:
            launch.close_terminal()
            drive(_end(creation, options))
    finally:
        foreground.close()


def _start(creation: Creation, options: Options, foreground: Foreground | None = None) -> Steps[Launch]:
    launch = yield from creation.prepare(fifo=False)
    try:
        if creation.terminal and foreground is not None:
            foreground.take(launch.master)
        elif creation.terminal:
            from orlop.runtime.console import send_console

            send_console(options.console_socket or "", launch.master)
            launch.close_terminal()
        if options.pidfd_socket:
            from orlop.runtime.sending import send_pidfd

            send_pidfd(options.pidfd_socket, launch.pid, b"standard")
        notifications = None
        if options.notify_socket:
            from orlop.runtime.notify import listen

            notifications = listen(creation.store.path, options)
        yield from launch.go()
        if (creation.bundle.spec.get("hooks") or {}).get("poststart"):
            from orlop.runtime.hooks import run_hooks

            yield from run_hooks(creation.bundle.spec, "poststart", creation.state("running", launch.pid))
        if notifications is not None:
            if foreground is None:
                yield from notifications.forward(launch.pid, launch.pid)
            else:
                notifications.forward_in_thread(launch.pid)
    except BaseException:
        yield from creation.undo()
        raise
    return launch


def _end(creation: Creation, options: Options) -> Steps[None]:
    if options.keep:
        return
    if not os.path.exists(creation.store.path):
        return  # somebody else deleted it meanwhile
    private = "pid" in creation.record.namespaces
    yield from destroy(creation.store, creation.record, creation.cgroup, creation.bundle.spec, options, alone=private)
