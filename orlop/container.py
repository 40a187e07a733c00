"""Containers from Python: the life cycle of the command line, without a process of its own for each step.

    with orlop.Container.create("job", "/path/to/bundle") as box:
        box.start()
        code = box.wait()

Importing this starts nothing, installs no signal handler and reaps no process that it did not start.  While a
call makes a process, your handlers of signals (Ctrl-C raises KeyboardInterrupt) are called where it waits: so that
nothing is lost that was just made.
"""

from __future__ import annotations

import time

from orlop import system as os
from orlop.errors import NotFound, OrlopError, StateError
from orlop.runtime.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from resource import struct_rusage
    from types import TracebackType

    from orlop.runtime.account import Account
    from orlop.runtime.container import Found
    from orlop.state.store import Record

_SIGTERM = 15


class Container:
    """A container by its id, made by this program or by any other with the same `root`.

    Not to be shared between threads without a lock of the caller's; different containers may be used in different
    threads.
    """

    def __init__(self, container_id: str, *, root: str = "/run/orlop") -> None:
        """Name a container that exists.  Raises NotFound."""
        self._name(container_id, root)
        self.state()

    def _name(self, container_id: str, root: str) -> None:
        self.id = container_id
        self._options = Options(root=root)
        self._pid = 0
        self._monitor: list[int] = []
        self._code: int | None = None
        self._account: Account | None = None
        self._began = 0
        self._record: Record | None = None

    @classmethod
    def create(cls, container_id: str, bundle: str, *, root: str = "/run/orlop", monitor: bool = False) -> Container:
        """Create a container from a bundle; its program waits for `start`.

        Its standard streams are this program's.  `monitor`: it may outlive this program, and any other can `wait` for
        it, as a small process stays that records how it ends.  Raises OrlopError; then nothing is left behind.
        """
        from orlop.runtime.create import create

        record = create(container_id, Options(root=root, bundle=bundle, monitor=monitor))
        made = cls.__new__(cls)
        made._name(container_id, root)
        if monitor:
            made._monitor = record.monitor
        else:
            made._pid, made._record = record.init_process_pid, record
        return made

    @classmethod
    def run(cls, container_id: str, bundle: str, *, root: str = "/run/orlop") -> int:
        """Run a container to its end and remove it; its exit code, or minus the signal that ended it.

        Blocks until then.  Raises OrlopError; then nothing is left behind.
        """
        with cls.create(container_id, bundle, root=root) as made:
            made.start()
            code = made.wait()
        assert code is not None
        return code

    def start(self) -> None:
        """Let the program run.  Raises StateError unless the container is created."""
        from orlop.runtime.start import start

        self._began = time.monotonic_ns()
        start(self.id, self._options)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until the container has ended: its exit code, or minus a signal; None when `timeout` seconds are over
        first.

        Only who created a container can know how it ended, or its monitor.  Raises StateError where there is neither.
        """
        from orlop.runtime.waiting import readable

        if self._code is not None:
            return self._code
        if not self._pid:
            return self._wait_for_monitored(None if timeout is None else time.monotonic() + timeout)
        try:
            pidfd = os.pidfd_open(self._pid)
        except ProcessLookupError:
            self._pid = 0
            raise _reaped(f"container {self.id}") from None
        try:
            if not readable(pidfd, None if timeout is None else time.monotonic() + timeout):
                return None
        finally:
            os.close(pidfd)
        pid, self._pid = self._pid, 0
        try:
            _, status, usage = os.wait4(pid, 0)
        except ChildProcessError:
            raise _reaped(f"container {self.id}") from None
        self._code = os.waitstatus_to_exitcode(status)
        self._settle(status, usage)
        return self._code

    def _wait_for_monitored(self, deadline: float | None) -> int | None:
        from orlop.host.process import handle
        from orlop.runtime.waiting import readable

        found = self._found()
        record = found.record
        if not record.monitor:
            raise StateError(f"container {self.id} was not created by this program, so its exit code is not known here")
        pidfd = handle(record.init_process_pid, record.init_process_start)
        if pidfd is not None:
            try:
                if not readable(pidfd, deadline):
                    return None
            finally:
                os.close(pidfd)
        account = self.account
        assert account is not None
        self._forget_monitor()
        self._code = account.exit_code if account.signal is None else -account.signal
        if self._code is None:
            raise StateError(f"the monitor of container {self.id} was killed, so nobody knows how it ended")
        return self._code

    def _forget_monitor(self) -> None:
        """Reap the monitor, if it is this program's child."""
        if self._monitor:
            from orlop.runtime.waiting import reap

            pid, self._monitor = self._monitor[0], []
            reap(pid)

    def _found(self) -> Found:
        from orlop.runtime.container import Found

        return Found(self.id, self._options)

    @property
    def account(self) -> Account | None:
        """How the container ended, and what it used; None while it lives.

        Of one that this program has not waited for it holds what its cgroup tells.  Raises NotFound when it was deleted
        before anybody looked.
        """
        if self._account is None:
            from orlop.runtime.account import final_account
            from orlop.runtime.container import STOPPED

            found = self._found()
            if found.status() == STOPPED:
                self._account = final_account(found)
        return self._account

    def _settle(self, status: int, usage: struct_rusage) -> None:
        """Draw up the account, and keep it for others, as long as there is a place for it."""
        from orlop.runtime.account import collect, elapsed, keep
        from orlop.state.store import Store

        assert self._record is not None
        wall_time = elapsed(self._began) if self._began else None
        self._account = collect(self._record, status=status, usage=usage, wall_time=wall_time)
        try:
            keep(Store(os.path.abspath(self._options.root), self.id), self._account)
        except OrlopError:  # deleted meanwhile
            return

    def exec(self, *args: str, env: list[str] | None = None, cwd: str | None = None) -> int:
        """Run a further process in the container, with this program's standard streams; its exit code, or minus a
        signal."""
        from orlop.runtime.exec import ExecRequest, spawn_in
        from orlop.runtime.waiting import reap

        pid = spawn_in(self.id, ExecRequest(args=list(args), env=env, cwd=cwd), self._options)
        status = reap(pid)
        if status is None:
            raise _reaped(f"the process in container {self.id}")
        return os.waitstatus_to_exitcode(status)

    def kill(self, signal: int = _SIGTERM) -> None:
        """Send a signal to the container's first process.  Raises StateError when it has ended."""
        from orlop.runtime.kill import kill

        kill(self.id, signal, self._options)

    def state(self) -> dict[str, object]:
        """The state document of the runtime-spec, with the keys that runc adds.  Raises NotFound."""
        from orlop.runtime.state import state

        return state(self.id, self._options)

    @property
    def status(self) -> str:
        """`created`, `running`, `paused` or `stopped`."""
        return str(self.state()["status"])

    def delete(self, *, force: bool = False) -> None:
        """Remove the container.  Raises StateError when it runs and `force` is not given."""
        from orlop.runtime.delete import delete

        delete(self.id, self._options, force=force)
        if self._pid:
            try:
                self.wait()
            except StateError:  # somebody has reaped it: it is gone, which is what counts here
                pass
        self._forget_monitor()

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.delete(force=True)
        except NotFound:
            return
        except OrlopError:
            if error is None:
                raise


def _reaped(whose: str) -> StateError:
    """The error of who asks how a process ended that this program has reaped elsewhere."""
    hint = "wait for no child but your own (waitpid(-1), SIGCHLD ignored), or create the container with monitor=True"
    return StateError(f"{whose} was reaped by another part of this program, so nobody knows how it ended", hint=hint)
