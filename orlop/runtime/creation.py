"""A container while it is created: everything but the user's program.

load and check ─▶ state directory ─▶ cgroup ─▶ plan ─▶ launch … CREATED ─▶ record, pid file
                  └────────── undone in reverse order when a later step fails ──────────┘
"""

from __future__ import annotations

from orlop import system as os
from orlop.cgroup.choose import new
from orlop.errors import OrlopError
from orlop.host.cgroups import layout
from orlop.host.process import look
from orlop.runtime.bundle import Bundle
from orlop.runtime.document import state_document
from orlop.runtime.handover import check_preserved, write_pid_file
from orlop.runtime.launch import Launch
from orlop.runtime.owner import owner
from orlop.runtime.planning import Planning, device_paths
from orlop.runtime.recall import question
from orlop.state.store import BRIEF, Record, Store, check_id, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Cgroup, Resources
    from orlop.host.cgroups import Layout
    from orlop.host.resctrl import Group
    from orlop.runtime.console import ConsoleSocket
    from orlop.runtime.idmap import MountMaps
    from orlop.runtime.monitor import Monitor
    from orlop.runtime.options import Options
    from orlop.runtime.times import Times
    from orlop.runtime.waiting import Steps


class Creation:
    """What there is to undo, and, in the end, what there is to keep."""

    __slots__ = (
        "bundle", "cgroup", "console", "fifo", "launch", "layout", "maps", "options", "owner", "placed", "planning",
        "record", "store", "terminal", "times",
    )  # fmt: skip

    def __init__(self, container_id: str, options: Options, *, fifo: bool) -> None:
        """Read and check what can be checked before anything is made.  Raises OrlopError.

        `fifo`: the container will wait on its fifo for another command to start it.
        """
        check_id(container_id)
        check_preserved(options)
        self.options = options
        self.fifo = fifo
        self.bundle = Bundle(
            options.bundle,
            options.config,
            lambda path, config: question(container_id, path, config, options, fifo),
        )
        spec = self.bundle.spec
        self.terminal = bool(spec["process"].get("terminal"))
        self.store = Store(os.path.abspath(options.root), container_id)
        self.layout: Layout = layout()
        linux = spec.get("linux") or {}
        self.cgroup: Cgroup = new(
            self.layout,
            linux.get("cgroupsPath"),
            container_id,
            systemd=options.systemd_cgroup,
            rootless=self._rootless(),
            user_bus=options.user_bus,
            annotations=spec.get("annotations"),
        )
        self.owner: int | None = None
        self.placed = False
        self.times: Times | None = None
        self.launch: Launch | None = None
        self.console: ConsoleSocket | None = None
        self.record = Record(
            container_id,
            self.bundle.path,
            self.bundle.rootfs,
            now(),
            annotations=spec.get("annotations") or {},
            namespaces=[row["type"] for row in linux.get("namespaces") or [] if not row.get("path")],
            systemd_cgroup=options.systemd_cgroup,
            rootless=self._rootless(),
            new_keyring=not options.no_new_keyring,
        )
        if self.bundle.entry is not None:
            self.cgroup.device_lines = self.bundle.entry.device_lines
        self.maps = self._mount_maps()
        numbers = self.maps.numbers if self.maps else None
        self.planning = Planning(self.bundle, self.layout, options, self.record, self.cgroup, fifo=fifo, maps=numbers)
        memory = (linux.get("resources") or {}).get("memory") or {}
        if memory.get("kernel") or memory.get("kernelTCP"):
            from orlop.runtime.update import KERNEL_MEMORY

            options.log("warning", KERNEL_MEMORY)

    def _rootless(self) -> bool:
        return os.geteuid() != 0 if self.options.rootless is None else self.options.rootless

    def state(self, status: str, pid: int) -> dict[str, object]:
        """The state document that hooks read."""
        return state_document(self.record, status, pid)

    def prepare(self) -> Steps[Launch]:
        """Up to the point where the container waits for start.  Leaves nothing behind when it fails."""
        store, spec, options = self.store, self.bundle.spec, self.options
        linux = spec.get("linux") or {}
        if any(row.get("path") and row["type"] in ("mount", "network") for row in linux.get("namespaces") or []):
            from orlop.runtime.own_namespaces import check_own

            check_own(linux)
        self.owner = yield from owner(spec, options.log)
        store.make(os.path.dirname(store.path))
        try:
            if options.console_socket:
                from orlop.runtime.console import ConsoleSocket

                self.console = ConsoleSocket(options.console_socket)
            if options.times:
                from orlop.runtime.times import Times

                self.times = Times(options.times)
            self.record.cgroup_paths = self.cgroup.paths
            if options.notify_socket:
                from orlop.runtime.notify import offer

                offer(spec, store.path)
            if self.fifo:
                store.make_fifo()
            waits = self.planning.waits
            if self.cgroup.needs_process:
                self.cgroup.begin()
            if not waits:
                self._record_and_place(0)
            program = self.planning.program()
            for doubt in self.planning.doubts:
                options.log("warning", doubt)
            state = self.state("creating", 0)
            place = self._record_and_place if waits else None
            self.launch = Launch(
                program,
                spec,
                spec["process"],
                state,
                self.cgroup,
                rootfs=self.bundle.rootfs,
                place=place,
                known=self._note,
                monitor=self._monitor(),
                at_once=self._at_once(),
            )
            group = self._resctrl()
            # Here and after, and in exec, the words are those of runc's debug log: its tests read them.
            options.log("debug", "nsexec container setup")
            yield from self._launch(self.launch)
            options.log("debug", f"child process in init(), pid {self.launch.pid}")
            if group is not None:
                group.join(self.launch.pid)
                group.settle()
                self.record.intel_rdt_made = group.made
                self._note(self.launch.pid)
            self.cgroup.settle(self._resources())
            self._keep(self.launch.pid)
        except BaseException:
            yield from self.undo()
            raise
        options.log("debug", "init: closing the pipe to signal completion")
        options.log("debug", f"container {self.record.id} created, pid {self.launch.pid}")
        return self.launch

    def _monitor(self) -> Monitor | None:
        """Who will reap the container, where that is asked for."""
        if not self.options.monitor:
            return None
        from orlop.runtime.monitor import Monitor, copied

        return Monitor(self.store, copied(self.cgroup))

    def _resources(self) -> Resources | None:
        return (self.bundle.spec.get("linux") or {}).get("resources")

    def _record_and_place(self, pid: int) -> None:
        """Write down what there is, and make the cgroup; while the executor, if there is one, makes namespaces.

        A unit vanishes with the executor, whose end is that of this process: systemd may hear of it first.
        """
        resources, paths = self._resources(), device_paths(self.bundle.spec)
        if self.cgroup.needs_process:
            self.cgroup.create_around(pid, resources, paths, self._write_down)
        else:
            self._write_down()
            self.cgroup.create(resources, paths)
        self.placed = True
        if not self.cgroup.paths and "pid" not in self.record.namespaces:
            message = "without a cgroup and a pid namespace of its own nothing can kill all processes of the container"
            self.options.log("warning", f"{message}. Such configuration is strongly discouraged")
        if self.owner is not None and self.owner != os.geteuid():
            self.cgroup.give_to(self.owner)

    def _write_down(self) -> None:
        self.store.save(self.record)
        self.store.save_config(self.bundle.data)

    def _at_once(self) -> bool:
        """Does nothing but the program itself come after CREATED?"""
        options, spec = self.options, self.bundle.spec
        linux = spec.get("linux") or {}
        asked = options.pid_file or options.pidfd_socket or options.notify_socket or options.monitor or options.times
        seccomp = linux.get("seccomp")
        told = linux.get("intelRdt") or (seccomp and seccomp.get("listenerPath"))
        waits = self.cgroup.settles(self._resources())
        return not (self.fifo or self.terminal or asked or told or spec.get("hooks") or waits)

    def _resctrl(self) -> Group | None:
        """The group of linux.intelRdt, made and recorded."""
        rdt = (self.bundle.spec.get("linux") or {}).get("intelRdt")
        if rdt is None:
            return None
        from orlop.host.resctrl import Group, place

        group = Group(place(), rdt, self.record.id)
        group.create()
        self.record.intel_rdt_path, self.record.intel_rdt_mon_path = group.path, group.monitor
        self.record.intel_rdt_made = group.made
        self.store.save(self.record)
        return group

    def _launch(self, launch: Launch) -> Steps[None]:
        timed = ((self.times.memory, self.planning.stamps or 0),) if self.times is not None else ()
        if self.maps is None:
            yield from launch.prepare(timed)
            return
        namespaces = yield from self.maps.open()
        mapped = {index: namespaces[number] for index, number in self.maps.numbers.items()}
        try:
            yield from launch.prepare((*((fd, number) for number, fd in namespaces.items()), *timed), mapped)
        finally:
            for fd in namespaces.values():
                os.close(fd)

    def _mount_maps(self) -> MountMaps | None:
        """The maps of the mounts, of those few configs that have any."""
        for mount in self.bundle.spec.get("mounts") or []:
            words = mount.get("options") or ()
            if mount.get("uidMappings") or "idmap" in words or "ridmap" in words:
                from orlop.runtime.idmap import MountMaps

                return MountMaps(self.bundle.spec, self.options.control)
        return None

    def _note(self, pid: int) -> None:
        """Write the record aside: the process is there, and not yet created."""
        found = look(pid)
        if found is None:
            return  # a monitor has reaped it: why it ended is told soon
        self.record.cgroup_paths = self.cgroup.paths  # a rootless runtime leaves out what it may not use
        self.record.init_process_pid = pid
        self.record.init_process_start = found.start
        if self.launch is not None and self.launch.monitor is not None:
            self.record.monitor = self.launch.monitor.identity()
        self.store.prepare(self.record)
        if self.launch is not None and self.launch.at_once:
            self.store.settle()  # before the program runs

    def _keep(self, pid: int) -> None:
        if not self.record.init_process_pid:
            raise OrlopError("container process is already dead")
        if self.launch is None or not self.launch.at_once:
            self.store.settle()
        self._write_brief(pid)
        if self.options.pid_file:
            write_pid_file(self.options.pid_file, pid)

    def _write_brief(self, pid: int) -> None:
        """Where the supervisor has nothing else to do, to start it and to delete it."""
        options, record = self.options, self.record
        hooks = self.bundle.spec.get("hooks") or {}
        later = any(hooks.get(kind) for kind in ("startContainer", "poststart", "poststop"))
        asked = options.monitor or options.notify_socket or options.systemd_cgroup or record.rootless
        frozen = self.cgroup.frozen_file()
        if not (self.fifo or options.detach) or frozen is None or "pid" not in record.namespaces:
            return
        if later or asked or record.intel_rdt_path or record.intel_rdt_mon_path:
            return
        from orlop.state.brief import brief

        text = brief(pid, frozen, [*dict.fromkeys(self.cgroup.paths.values())])
        if text is not None:
            self.store.write(BRIEF, text)

    def undo(self) -> Steps[None]:
        """Leave nothing behind: process, cgroup, state; then poststop hooks.  What fails of it is only told."""
        self.tell_times()
        if self.console is not None:
            self.console.close()
        for step in (self._end, self.cgroup.undo, self._remove_groups, self.store.remove):
            try:
                step()
            except (OrlopError, OSError) as error:
                self.options.log("warning", str(error))
        spec = self.bundle.spec
        if (spec.get("hooks") or {}).get("poststop") and self.launch is not None:
            from orlop.runtime.hooks import run_hooks_in_spite

            for message in (yield from run_hooks_in_spite(spec, "poststop", self.state("stopped", 0))):
                self.options.log("warning", message)

    def _end(self) -> None:
        if self.launch is not None:
            self.launch.abandon()
            if self.placed and self.cgroup.paths:  # before that the cgroup may be another container's
                self.cgroup.kill()
                self.cgroup.delete()  # which waits for what is dying

    def _remove_groups(self) -> None:
        if self.record.intel_rdt_made:
            from orlop.host.resctrl import remove

            remove(self.record.intel_rdt_made)

    def tell_times(self) -> None:
        """Write how long the operations took, if that was asked for."""
        times, self.times = self.times, None
        if times is not None:
            times.tell(self.launch.program.planned if self.launch is not None else None, self.options.log)
