"""systemd as a manager of units, over D-Bus (org.freedesktop.systemd1(5)): the host's, or that of a user.

Its private socket is asked first, as systemctl does: it needs no bus, and its answers have one process less to pass.
"""

from __future__ import annotations

import time

from orlop import system as os
from orlop.host.dbus import PATIENCE, Bus, BusError, CallError, SilentError, unix_addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from orlop.host.dbus_wire import Value

    # Name, signature of the value, value.
    Property: TypeAlias = tuple[str, str, Value]

_SYSTEMD = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = "org.freedesktop.systemd1.Manager"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_REMOVED = "JobRemoved"
_JOBS = f"type='signal',sender='{_SYSTEMD}',path='{_PATH}',interface='{_MANAGER}',member='{_REMOVED}'"

RUN = "/run"
JOB_PATIENCE = 30.0  # seconds, as runc waits for a unit
_LITTLE_PATIENCE = 1.0


class JobError(BusError):
    """A unit could not be started or stopped."""


class Manager:
    """A connection to one systemd.  `user`: it is that of a user, and not the host's."""

    __slots__ = ("_bus", "_subscribed", "user")

    def __init__(self, bus: Bus, *, user: bool) -> None:
        self._bus = bus
        self.user = user
        self._subscribed = False

    def close(self) -> None:
        """Close the connection."""
        self._bus.close()

    def start(
        self,
        unit: str,
        properties: list[Property],
        patience: float = JOB_PATIENCE,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Make a transient unit, and wait until it is started.  Raises BusError, CallError, JobError.

        `meanwhile` is done while systemd is busy with it.
        """
        given = [(name, (signature, value)) for name, signature, value in properties]
        self._job("StartTransientUnit", "ssa(sv)a(sa(sv))", [unit, "replace", given, []], unit, patience, meanwhile)

    def stop(self, unit: str, patience: float = JOB_PATIENCE) -> bool:
        """Stop a unit, and wait until it is; False for one that is gone.  Raises BusError, CallError, JobError."""
        try:
            self._job("StopUnit", "ss", [unit, "replace"], unit, patience)
        except CallError as error:
            if error.name != f"{_SYSTEMD}.NoSuchUnit":
                raise
            return False
        return True

    def forget(self, unit: str) -> None:
        """Take a unit out of its failed state, so that it vanishes; one that is gone is fine.  Raises BusError."""
        try:
            self._call("ResetFailedUnit", "s", [unit])
        except CallError:
            return

    def set(self, unit: str, properties: list[Property]) -> None:
        """Change properties of a unit until it ends.  Raises BusError, CallError."""
        given = [(name, (signature, value)) for name, signature, value in properties]
        self._call("SetUnitProperties", "sba(sv)", [unit, True, given])

    def attach(self, unit: str, below: str, pids: list[int]) -> None:
        """Move processes into the cgroup of a unit, or one below it (`/inner`).  Raises BusError, CallError."""
        self._call("AttachProcessesToUnit", "ssau", [unit, below, pids])

    def version(self) -> int:
        """The number of systemd's release; 0 where it cannot be told.  Raises BusError."""
        text = self._get("Version").lstrip('"v')  # before the number in some distributions
        digits = text[: len(text) - len(text.lstrip("0123456789"))]
        return int(digits or 0)

    def control_group(self) -> str:
        """The cgroup below which it makes all others, without a slash at its end.  Raises BusError."""
        return self._get("ControlGroup").rstrip("/")

    def _get(self, name: str) -> str:
        (variant,) = self._bus.call(_SYSTEMD, _PATH, _PROPERTIES, "Get", "ss", [_MANAGER, name])
        text = variant[1] if isinstance(variant, tuple) else None
        if not isinstance(text, str):
            raise BusError(f"systemd has an unreadable property {name}")
        return text

    def _call(
        self,
        member: str,
        signature: str,
        body: list[Value],
        patience: float = PATIENCE,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Value]:
        return self._bus.call(
            _SYSTEMD, _PATH, _MANAGER, member, signature, body, patience=patience, meanwhile=meanwhile
        )

    def _job(
        self,
        member: str,
        signature: str,
        body: list[Value],
        unit: str,
        patience: float,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Call a method that makes a job, and wait until the job is removed."""
        if not self._subscribed:
            self._bus.match(_REMOVED, _JOBS)
            if not self._bus.private:
                self._call("Subscribe", "", [])
            self._subscribed = True
        deadline = time.monotonic() + patience
        (job,) = self._call(member, signature, body, min(PATIENCE, patience), meanwhile)
        verb = "create" if member == "StartTransientUnit" else "stop"
        while (removed := self._bus.signal(_REMOVED, deadline)) is not None:
            if len(removed) > 3 and removed[1] == job:
                if removed[3] == "done":
                    return
                hint = f"its journal may tell more: {self.command('status')} {unit}"
                doing = "creating" if verb == "create" else "stopping"
                raise JobError(f"error {doing} systemd unit `{unit}`: got `{removed[3]!s}`", hint=hint)
        if verb == "create":
            self._call_off(unit)
        hint = f"what keeps systemd busy: {self.command('list-jobs')}"
        raise JobError(f"Timeout waiting for systemd to {verb} {unit}", hint=hint)

    def _call_off(self, unit: str) -> None:
        """See that a unit that nobody waits for any more is not made later: the job to stop it replaces that one."""
        try:
            self._call("StopUnit", "ss", [unit, "replace"], _LITTLE_PATIENCE)
        except BusError:
            return  # a scope, whose process is dead by then, vanishes by itself

    def command(self, verb: str) -> str:
        """A command for the user to type."""
        return f"systemctl {'--user ' if self.user else ''}{verb}"


def is_users() -> bool:
    """Is the systemd that we may ask a user's own?

    Root of a user namespace may be an ordinary user of the host, or root of a container with a systemd of its own.
    """
    try:
        return os.stat(f"{RUN}/systemd/private").st_uid != os.geteuid()
    except OSError:
        return os.geteuid() != 0


def forgotten(unit: str) -> bool:
    """Is this transient unit surely none of the host's systemd's any more?

    It has a file for each that it knows (systemd.unit(5), "Unit File Load Path"), and to look takes it no time.
    """
    files = f"{RUN}/systemd/transient"
    return not is_users() and os.path.isdir(files) and not os.path.exists(f"{files}/{unit}")


def knock() -> Bus | None:
    """Ask the host's systemd to let us in, without waiting until it has, which takes a millisecond: for `connect`.

    None where that is not the one to ask, or is not there.  Raises SilentError.
    """
    if is_users() or not os.path.isdir(f"{RUN}/systemd/system"):
        return None
    address, private = _hosts()[0]
    try:
        return Bus(address, private=private, wait=False)
    except SilentError:
        raise
    except BusError:
        return None


def connect(
    session_bus: str | None = None, runtime_directory: str | None = None, knocked: Bus | None = None
) -> Manager:
    """Connect to the systemd that is ours to ask.

    `session_bus` is $DBUS_SESSION_BUS_ADDRESS, `runtime_directory` $XDG_RUNTIME_DIR, which are used for that of a
    user.  `knocked` is where we have asked already.  Raises BusError.
    """
    if not os.path.isdir(f"{RUN}/systemd/system"):
        hint = "leave out --systemd-cgroup, and with it the slice in linux.cgroupsPath"
        raise BusError("systemd not running on this host, cannot use systemd cgroups manager", hint=hint)
    user = is_users()
    failure: BusError | None = None
    for address, private in _users(session_bus, runtime_directory) if user else _hosts():
        try:
            bus, knocked = knocked or Bus(address, private=private, wait=False), None
            bus.enter()
            return Manager(bus, user=user)
        except SilentError as error:
            failure = error
            break  # it is busy or hangs, and would be as silent behind a bus
        except BusError as error:
            failure = error
    if user:
        hint = "log in so that a user manager runs, or let one: loginctl enable-linger; and set XDG_RUNTIME_DIR"
        raise BusError(f"cannot reach the user's systemd: {failure}", hint=hint)
    raise BusError(f"cannot reach systemd: {failure}", hint="look at it: systemctl status dbus")


def _hosts() -> list[tuple[str, bool]]:
    return [(f"{RUN}/systemd/private", True), (f"{RUN}/dbus/system_bus_socket", False)]


def _users(session_bus: str | None, runtime_directory: str | None) -> list[tuple[str, bool]]:
    directory = runtime_directory or f"{RUN}/user/{os.geteuid()}"
    found = [(f"{directory}/systemd/private", True)]
    found += [(address, False) for address in unix_addresses(session_bus or "")]
    if not session_bus:
        found.append((f"{directory}/bus", False))
    return found
