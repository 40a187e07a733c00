"""The systemd driver: a container's cgroup is that of a transient unit, most often a scope, which systemd makes.

systemd makes a scope only around a process, so it is made when the executor is there and before it clones:

supervisor                              systemd                       executor
begin ─────────────────────────────────▶ lets us in
                                                                       waits
create_around(pid, resources) ─────────▶ scope around pid
what is to be done meanwhile
◀──────────────────────────── job done
limits that systemd has no name for, into the files
go ──────────────────────────────────────────────────────────────────▶ device filter; clone, into the same cgroup; ends

cgroupsPath is "slice:prefix:name": the unit prefix-name.scope in the slice, or, for a name that ends so, name.slice.
"""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.cgroup import files
from orlop.cgroup.base import Cgroup
from orlop.cgroup.v1 import CgroupV1
from orlop.cgroup.v2 import CgroupV2
from orlop.errors import CgroupError, ConfigError, OrlopError, Problem
from orlop.host import ahead
from orlop.host.dbus import BusError, CallError, SilentError
from orlop.host.systemd import forgotten, knock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from orlop.cgroup.base import Below, Resources
    from orlop.cgroup.fields import Write
    from orlop.host.dbus import Bus
    from orlop.host.systemd import Manager, Property

FIELD = "linux.cgroupsPath"
PREFIX = "runc"  # of a unit that the config does not name: what tools look for
_WEIGHT = "cpu.weight"
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


class UnitCgroup(Cgroup):
    """What both versions have in common.  `unit` is their own."""

    __slots__ = ()
    unit: Unit
    version = 0

    @property
    def needs_process(self) -> bool:
        return not self.unit.is_slice()

    def create(self, resources: Resources | None, device_paths: Collection[str] = ()) -> None:
        self.create_around(0, resources, device_paths)

    def begin(self) -> None:
        self.unit.knock()

    def create_around(
        self,
        pid: int,
        resources: Resources | None,
        device_paths: Collection[str] = (),
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        path = self.process_path()
        if path and os.path.exists(path):
            self.check_free()
        limits = self._limits(resources)
        try:
            self.unit.start(pid, limits, self._devices(resources, device_paths), self.version, meanwhile)
        except CgroupError as error:
            raise self._asked(error, resources) from None
        super().create(resources, device_paths)
        self._leave_room(resources)

    def check_free(self) -> None:
        if not self.unit.started:  # afterwards there is the executor
            super().check_free()

    def settles(self, resources: Resources | None) -> bool:
        return bool(self._narrow(resources))

    def settle(self, resources: Resources | None) -> None:
        for write in self._narrow(resources):
            files.write(f"{self._directory(write)}/{write.file}", write.value, field=write.field)

    def _leave_room(self, resources: Resources | None) -> None:
        """The executor and the process that it clones are two for a moment, where the limit may be one."""
        for write in self._narrow(resources):
            files.write(f"{self._directory(write)}/{write.file}", "2", field=write.field)

    def _narrow(self, resources: Resources | None) -> list[Write]:
        if not self.needs_process or not resources or not (resources.get("pids") or resources.get("unified")):
            return []
        return [write for write in self.writes(resources) if write.file == "pids.max" and write.value in ("0", "1")]

    def _directory(self, write: Write) -> str:
        return self.paths.get(write.controller) or self.paths[""]

    def writes(self, resources: Resources | None) -> list[Write]:
        from orlop.cgroup.systemd_properties import rounded

        return rounded(super().writes(resources))

    def set(self, resources: Resources | None) -> None:
        self.check_usage(resources)  # before systemd is told, who would not ask
        if limits := self._limits(resources):
            try:
                self._tell(limits)
            except CgroupError as error:
                raise self._asked(error, resources) from None
        super().set(resources)

    def _asked(self, error: CgroupError, resources: Resources | None) -> CgroupError:
        """Name the limit, where systemd has named the property that it refuses."""
        from orlop.cgroup.systemd_properties import asker

        if error.path == self.unit.name and (write := asker(error.message, self.writes(resources), self.version)):
            said = error.message.removeprefix(f"{FIELD}: ")
            error.message = f'{write.field}: cannot set {write.file} to "{write.value}": {said}'
            error.field = write.field
        return error

    def update(self, resources: Resources, previous: Resources | None, then: Callable[[], None] | None = None) -> None:
        try:
            super().update(resources, previous, then)
        except BaseException as reason:
            from orlop.cgroup.systemd_properties import unset

            before = {one[0]: one for one in unset(self._limits(resources))}
            before.update((one[0], one) for one in self._limits(previous) if one[0] in before)
            try:
                self._tell(list(before.values()))
            except CgroupError as error:
                if isinstance(reason, OrlopError) and str(error) != str(reason):  # there is no systemd to be asked
                    reason.message += f"; and the old values could not be set back: {error}"
            raise

    def _tell(self, limits: list[Property]) -> None:
        self.unit.set(limits)

    def _limits(self, resources: Resources | None) -> list[Property]:
        writes = self.writes(resources)
        if not writes:
            return []
        from orlop.cgroup.systemd_properties import OLDEST_IDLE, properties

        found = properties(writes, self.version)
        if ("CPUWeight", "t", 0) in found and self.unit.manager.version() < OLDEST_IDLE:
            found.remove(("CPUWeight", "t", 0))
        return found

    def _devices(self, resources: Resources | None, device_paths: Collection[str]) -> list[Property]:
        return []

    def attaches(self, below: Below | None = None) -> bool:
        # A user may move processes within a cgroup of the user's own only: from a login session it takes systemd.
        path = self.clone_into(below)
        return os.geteuid() != 0 and path is not None and not self._reachable(path)

    def _reachable(self, path: str) -> bool:
        """May we move from our own cgroup to that one?  The kernel asks for the one above both (cgroups(7))."""
        return True

    def attach(self, pid: int, below: Below | None = None) -> None:
        self.unit.attach((below or {}).get("", ""), pid)

    def undo(self) -> None:
        if self.unit.started:
            try:
                self.kill()
                self.delete()
            except OrlopError:
                pass
        super().undo()

    def delete(self) -> None:
        # The cgroup first: a process that is left shows, where systemd would wait a minute and a half for it.
        super().delete()
        self.unit.stop()


class SystemdV2(UnitCgroup, CgroupV2):
    """A unit on version 2."""

    __slots__ = ("own", "unit")
    version = 2

    def __init__(
        self, path: str, unit: Unit, *, mount: str, own: str, controllers: tuple[str, ...] = (), rootless: bool = False
    ) -> None:
        CgroupV2.__init__(self, path, mount=mount, controllers=controllers, rootless=rootless)
        self.unit = unit
        self.own = own

    def writes(self, resources: Resources | None) -> list[Write]:
        found = super().writes(resources)
        return [write for write in found if write.file != _WEIGHT] if _idles(found) else found

    def doubts(self, resources: Resources | None) -> list[str]:
        found = super().writes(resources)
        both = _idles(found) and any(write.file == _WEIGHT for write in found)
        return ["unable to apply both cpu.weight and cpu.idle to systemd, ignoring cpu.weight"] if both else []

    def _reachable(self, path: str) -> bool:
        above = path
        while not (self.own + "/").startswith(above + "/"):
            above = above.rpartition("/")[0]
        return os.access(above + "/cgroup.procs", os.W_OK)


def _idles(writes: list[Write]) -> bool:
    """What is idle has no weight: systemd takes one or the other."""
    return {write.file: write.value for write in writes}.get("cpu.idle") == "1"


class SystemdV1(UnitCgroup, CgroupV1):
    """A unit on version 1 or a hybrid host.  systemd makes it in the hierarchies it knows; the others are ours."""

    __slots__ = ("unit",)
    version = 1

    def __init__(self, paths: dict[str, str], unit: Unit) -> None:
        CgroupV1.__init__(self, paths)
        self.unit = unit

    def _devices(self, resources: Resources | None, device_paths: Collection[str]) -> list[Property]:
        from orlop.cgroup.devices import policy
        from orlop.cgroup.systemd_properties import device_properties

        return device_properties(policy(resources, device_paths))

    def _tell(self, limits: list[Property]) -> None:
        """systemd applies the device rules anew with any property, by denying all first: nobody shall notice."""
        if limits == self.unit.sent:
            return
        thaw = not self.frozen()
        self.freeze()
        try:
            super()._tell(limits)
        finally:
            if thaw:
                self.thaw()


def unit_of(cgroups_path: str | None, container_id: str, *, user: bool) -> tuple[str, str, str]:
    """Return slice, unit and name that a cgroupsPath means.  Raises ConfigError."""
    slice, prefix, name = "", PREFIX, container_id
    if cgroups_path:
        parts = cgroups_path.split(":")
        if len(parts) != 3:
            form = 'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups'
            message = f'{form}, got "{cgroups_path}"'
            hint = "write it so, or leave out --systemd-cgroup for a path"
            raise ConfigError([Problem(FIELD, message + " instead", hint)])
        slice, prefix, name = parts
    if not name or "/" in name or "/" in prefix or "\0" in name + prefix:
        raise ConfigError([Problem(FIELD, f'"{cgroups_path}" names no unit')])
    unit = name if name.endswith(".slice") else f"{prefix}-{name}.scope"
    return slice or ("user.slice" if user else "system.slice"), unit, name


def expand(slice: str) -> str:
    """Return the path of a slice: a-b.slice is in a.slice.  Raises ConfigError."""
    if slice == "-.slice":
        return ""
    parts = slice.removesuffix(".slice").split("-")
    if not slice.endswith(".slice") or "/" in slice or "" in parts:
        raise ConfigError([Problem(FIELD, f"invalid slice name: {slice}")])
    return "".join(f"/{'-'.join(parts[: index + 1])}.slice" for index in range(len(parts)))


def annotations_of(annotations: Mapping[str, str]) -> list[Property]:
    """Return the properties that annotations ask for.  Raises ConfigError."""
    if not any(key.startswith("org.systemd.property.") for key in annotations):
        return []
    from orlop.cgroup.systemd_annotations import annotated

    return annotated(annotations)
