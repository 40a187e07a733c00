"""A unit of systemd's, by its name: made around a process, changed, joined, stopped."""

from __future__ import annotations

import errno

from orlop.errors import CgroupError
from orlop.host import ahead
from orlop.host.dbus import BusError, CallError, SilentError
from orlop.host.systemd import forgotten, knock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.host.dbus import Bus
    from orlop.host.systemd import Manager, Property

FIELD = "linux.cgroupsPath"
_EXISTS = "org.freedesktop.systemd1.UnitExists"


class Unit:
    """A unit by its name.  `slice` is where a new one goes; the connection is made when it is needed.

    `started` says that this object has made it, with the properties `sent`.
    """

    __slots__ = ("_connect", "_knocked", "_manager", "annotated", "description", "name", "sent", "slice", "started")

    def __init__(
        self,
        name: str,
        connect: Callable[[Bus | None], Manager],
        *,
        slice: str = "",
        description: str = "",
        annotated: list[Property] | None = None,
    ) -> None:
        self.name = name
        self.slice = slice
        self.description = description
        self.annotated = annotated or []
        self.sent: list[Property] = []
        self.started = False
        self._connect = connect
        self._knocked: Bus | None = None
        self._manager: Manager | None = None

    @property
    def manager(self) -> Manager:
        """Whom to ask.  Raises BusError."""
        if self._manager is None:
            knocked, self._knocked = self._knocked, None
            self._manager = self._connect(knocked)
        return self._manager

    def knock(self) -> None:
        """Begin to connect, which takes systemd a while.  Raises CgroupError."""
        if self._manager is None:
            try:
                self._knocked = knock()
            except BusError as error:
                raise self._refused("create", error) from None

    def is_slice(self) -> bool:
        """A slice holds units, and is made without a process."""
        return self.name.endswith(".slice")

    def start(
        self,
        pid: int,
        limits: list[Property],
        devices: list[Property],
        version: int,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Make the unit around a process.  Blocks until systemd has.  Raises CgroupError, BusError.

        `meanwhile` is done while systemd is busy; when it fails, that is raised when there is the unit.
        """
        failures: list[BaseException] = []

        def guarded() -> None:
            try:
                if meanwhile:
                    meanwhile()
            except BaseException as error:
                failures.append(error)

        given: dict[str, Property] = {}
        for one in [*self._base(pid, version), *limits, *devices, *self.annotated]:
            given[one[0]] = one
        try:
            try:
                self.manager.start(self.name, list(given.values()), meanwhile=guarded)
            except CallError as error:
                if error.name != _EXISTS:
                    raise
                self.manager.forget(self.name)  # one that has failed, and that nobody has looked at
                self.manager.start(self.name, list(given.values()))
        except BusError as error:
            raise self._refused("create", error) from None
        self.started = True
        self.sent = limits
        ahead.end()
        if failures:
            raise failures[0]

    def set(self, limits: list[Property]) -> None:
        """Change properties.  Raises CgroupError."""
        if limits == self.sent:
            return
        try:
            self.manager.set(self.name, limits)
        except BusError as error:
            raise self._refused("set the properties of", error) from None
        self.sent = limits

    def stop(self) -> None:
        """Stop it and forget it; one that is gone is fine.  Blocks until it is.  Raises CgroupError."""
        if self._forgotten():
            self.started = False
            return
        try:
            manager = self.manager
        except BusError:
            return  # systemd drops a scope without processes by itself, as soon as it is there again
        try:
            there = manager.stop(self.name)
        except SilentError as error:  # not to be waited for a second time
            raise self._refused("stop", error) from None
        except BusError as error:
            self._forget(manager)
            raise self._refused("stop", error) from None
        finally:
            self.started = False
        if there and not self._forgotten():
            self._forget(manager)

    def _forgotten(self) -> bool:
        return not self.is_slice() and forgotten(self.name)

    def _forget(self, manager: Manager) -> None:
        try:
            manager.forget(self.name)
        except BusError:
            pass

    def attach(self, below: str, pid: int) -> None:
        """Move a process into it.  Raises CgroupError."""
        try:
            self.manager.attach(self.name, "/" + below.strip("/") if below.strip("/") else "", [pid])
        except BusError as error:
            raise self._refused("join", error) from None

    def _base(self, pid: int, version: int) -> list[Property]:
        made: list[Property] = [("Description", "s", self.description)]
        if self.is_slice():
            made.append(("Wants", "as", [self.slice]))
        else:
            made += [
                ("Slice", "s", self.slice),
                ("PIDs", "au", [pid]),
                ("Delegate", "b", True),
            ]
        io = "IOAccounting" if version == 2 else "BlockIOAccounting"
        for name in ("MemoryAccounting", "CPUAccounting", io, "TasksAccounting"):
            made.append((name, "b", True))
        made.append(("DefaultDependencies", "b", False))
        return made

    def _refused(self, verb: str, error: BusError) -> CgroupError:
        message = str(error)
        if self.name not in message:
            message = f"unable to {verb} the systemd unit {self.name}: {message}"
        code = errno.EEXIST if isinstance(error, CallError) and error.name == _EXISTS else errno.EIO
        return CgroupError(code, f"{FIELD}: {message}", field=FIELD, path=self.name, hint=error.hint)
