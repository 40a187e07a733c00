"""The program of a container that is being created: recalled, or planned and then remembered."""

from __future__ import annotations

from orlop import system as os
from orlop.cgroup.choose import new
from orlop.host.probe import facts
from orlop.plan.facts import CgroupEntry, CgroupMount, Facts, Request
from orlop.runtime.document import state_document
from orlop.runtime.handover import listen_environment
from orlop.runtime.recall import FILLER, Sought, plain, remember
from orlop.state.store import FIFO, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.cgroup.base import Cgroup
    from orlop.host.cgroups import Layout
    from orlop.program.ops import Program
    from orlop.runtime.bundle import Bundle
    from orlop.runtime.options import Options
    from orlop.runtime.recall import Question
    from orlop.spec.types import Spec


class Planning(Sought):
    """What the planner is given: the config, the host's layout of cgroups, the caller's wishes, the container.

    `maps` gives for the index of each id-mapped mount the number of the descriptor of its user namespace.
    """

    __slots__ = ("_cgroup", "_fifo", "_layout", "_maps", "_record", "_spec")

    def __init__(
        self,
        bundle: Bundle,
        layout: Layout,
        options: Options,
        record: Record,
        cgroup: Cgroup,
        *,
        fifo: bool,
        maps: dict[int, int] | None,
    ) -> None:
        super().__init__(bundle.spec, bundle.asked, bundle.entry, record.id, options)
        self._spec = bundle.spec
        self._layout = layout
        self._record = record
        self._cgroup = cgroup
        self._fifo = fifo
        self._maps = maps

    def inputs(self) -> object:
        request = self._request(*self.filled(), devices=False)
        return plain(self.facts()), plain(request), len(self._cgroup.join_files())

    def doubted(self) -> Iterator[str]:
        from orlop.host.probe import grantable
        from orlop.spec.capabilities import doubts
        from orlop.spec.mounts import relative

        spec = self._spec
        yield from relative(spec)
        yield from doubts(spec["process"], lambda: grantable(spec))

    def planned(self) -> Program:
        return self._plan(self._record, self._cgroup)

    def keep(self, asked: Question, made: Program) -> None:
        filled, lines = self._plan(*self.filled()), self._cgroup.device_lines
        remember(asked, self._inputs, self.doubts, self.filter, self._record.id, made, filled, lines)

    def _plan(self, record: Record, cgroup: Cgroup) -> Program:
        from orlop.plan.container import container_program

        request = self._request(record, cgroup)
        program = container_program(self._spec, self.facts(), request)
        program.stamped = request.stamps is not None
        return program

    @property
    def stamps(self) -> int | None:
        """The descriptor at which the program finds the memory for its times, behind all others it has."""
        return max((self._options.control, *(self._maps or {}).values())) + 1 if self._options.times else None

    @property
    def waits(self) -> bool:
        """Is the cgroup made while the executor waits for it?  A rootless runtime plans for what it could make, and
        so makes it first; where systemd makes it, nobody can."""
        return self._cgroup.needs_process or not self._record.rootless

    def facts(self) -> Facts:
        """What the host says to what the config asks for."""
        spec = self._spec
        return facts(
            spec.get("mounts") or [],
            spec["process"],
            unified=self._layout.unified,
            no_pivot=self._options.no_pivot,
            mount_label=(spec.get("linux") or {}).get("mountLabel"),
        )

    def filled(self) -> tuple[Record, Cgroup]:
        """Another container with the same config, whose id is as long, and made of a character that no id has."""
        record = self._record
        container_id = FILLER * len(record.id)
        path = (self._spec.get("linux") or {}).get("cgroupsPath")
        cgroup = new(
            self._layout,
            path,
            container_id,
            systemd=record.systemd_cgroup,
            rootless=record.rootless,
            user_bus=self._options.user_bus,
        )
        return Record(container_id, record.bundle, record.rootfs, "", annotations=record.annotations), cgroup

    def _request(self, record: Record, cgroup: Cgroup, *, devices: bool = True) -> Request:
        """`devices=False` leaves out the device rules of version 2, which follow from the config."""
        spec, options = self._spec, self._options
        linux = spec.get("linux") or {}
        rules = cgroup.device_program(linux.get("resources"), device_paths(spec)) if devices else None
        directory = f"{os.path.abspath(options.root)}/{record.id}"
        entry = CgroupEntry(
            tasks=cgroup.join_files(),
            directory=cgroup.clone_into(),
            device_program=rules,
            mounts=self._cgroup_mounts(cgroup),
            waits=self.waits,
        )
        return Request(
            container_id=record.id,
            rootfs=record.rootfs,
            control=options.control,
            fifo=f"{directory}/{FIFO}" if self._fifo else None,
            cgroup=entry,
            no_pivot=options.no_pivot,
            new_keyring=not options.no_new_keyring,
            extra_env=listen_environment(options),
            state=state_document(record, "creating", 0),
            seccomp=self.filter,
            idmaps=self._maps,
            directory=directory if self._maps else "",
            stamps=self.stamps,
            unprivileged=self._record.rootless and os.geteuid() != 0,
        )

    def _cgroup_mounts(self, cgroup: Cgroup) -> tuple[CgroupMount, ...]:
        if not any(mount.get("type") == "cgroup" for mount in self._spec.get("mounts") or []):
            return ()
        found = []
        for row in self._layout.hierarchies:
            path = cgroup.paths.get(row.controllers[0]) if row.version == 1 else None
            if path is None and row.version == 1 and self._record.rootless:
                path = row.own_path()  # no cgroup could be made there, so the container stays in ours
            if path is not None:
                found.append(CgroupMount(os.path.basename(row.mount), row.controllers, path))
        return tuple(found)


def device_paths(spec: Spec) -> list[str]:
    """The paths of `linux.devices`, whose rules come before those of the default devices."""
    return [row["path"] for row in (spec.get("linux") or {}).get("devices") or []]
