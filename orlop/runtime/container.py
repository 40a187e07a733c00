"""A container that exists, found by its id: its record, its cgroup, its status."""

from __future__ import annotations

from orlop import system as os
from orlop.host.process import alive
from orlop.state.store import FIFO, Record, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Cgroup, Resources
    from orlop.runtime.options import Options
    from orlop.spec.types import Spec

CREATED, RUNNING, PAUSED, STOPPED = "created", "running", "paused", "stopped"


class Found:
    """An existing container.  Raises NotFound (`container does not exist`)."""

    __slots__ = ("_cgroup", "_user_bus", "record", "store")

    def __init__(self, container_id: str, options: Options) -> None:
        self.store = Store(os.path.abspath(options.root), container_id)
        self.record: Record = self.store.load()
        self._cgroup: Cgroup | None = None
        self._user_bus = options.user_bus

    @property
    def cgroup(self) -> Cgroup:
        if self._cgroup is None:
            from orlop.cgroup.choose import recorded
            from orlop.host.cgroups import layout

            record = self.record
            self._cgroup = recorded(
                layout(),
                record.cgroup_paths,
                systemd=record.systemd_cgroup,
                rootless=record.rootless,
                user_bus=self._user_bus,
            )
        return self._cgroup

    def running(self) -> bool:
        """Does its first process live?"""
        return alive(self.record.init_process_pid, self.record.init_process_start)

    def waiting(self) -> bool:
        """Was it created and never started?"""
        return os.path.exists(f"{self.store.path}/{FIFO}")

    def status(self) -> str:
        """Computed anew on each call: created, running, paused or stopped."""
        if not self.running():
            return STOPPED
        if self.cgroup.frozen():
            return PAUSED
        return CREATED if self.waiting() else RUNNING

    def config(self) -> Spec:
        """The config that it was created with, which was checked then."""
        return self.parsed(self.store.config())

    def parsed(self, config: bytes) -> Spec:
        """The same, of the text that was read."""
        from orlop.spec.json import parse

        return parse(config, f"{self.store.path}/config.json")  # type: ignore[return-value]

    def resources(self) -> Resources | None:
        """The limits that were asked for: at create, and by each update since."""
        updated = self.store.resources()
        return updated if updated is not None else (self.config().get("linux") or {}).get("resources")
