"""The systemd driver: a container's cgroup is that of a transient unit, most often a scope, which systemd makes.

systemd makes a scope only around a process, so it is made when the executor is there and before it clones:

supervisor                              systemd                       executor
begin ─────────────────────────────────▶ lets us in
                                                                       namespaces, device filter; waits
create_around(pid, resources) ─────────▶ scope around pid
what is to be done meanwhile
◀──────────────────────────── job done
limits that systemd has no name for, into the files
go ──────────────────────────────────────────────────────────────────▶ attaches it; clones, into the same cgroup; ends
"""

from __future__ import annotations

from orlop import system as os
from orlop.cgroup import files
from orlop.cgroup.base import Cgroup
from orlop.cgroup.systemd_unit import FIELD
from orlop.errors import CgroupError, OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from orlop.cgroup.base import Below, Resources
    from orlop.cgroup.fields import Write
    from orlop.cgroup.systemd_unit import Unit
    from orlop.host.systemd import Property


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
        limits = [write for write in self.writes(resources) if write.file == "pids.max"]
        return [write for write in limits if write.value.strip() in ("0", "1")]

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
        from orlop.cgroup.rollback import Before

        held = Before(self.writes(resources), self.directory).writes()
        try:
            super().update(resources, previous, then)
        except BaseException as reason:
            from orlop.cgroup.systemd_properties import properties, unset

            # What nobody has asked for the files tell: systemd has limits of its own, such as DefaultTasksMax.
            before = {one[0]: one for one in unset(self._limits(resources))}
            known = [*properties(held, self.version), *self._limits(previous)]
            before.update((one[0], one) for one in known if one[0] in before)
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
