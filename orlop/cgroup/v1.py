"""Cgroups of version 1: one directory a hierarchy, and on a hybrid host one more in the version 2 hierarchy."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.cgroup import files
from orlop.cgroup.base import Cgroup, below_path, limit_writes
from orlop.errors import CgroupError, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from orlop.cgroup.base import Below, DeviceLines, Freezer, Resources
    from orlop.cgroup.devices import Policy
    from orlop.cgroup.fields import Write

# The hierarchies that a container joins, those of runc and in its order.  A hierarchy that the host lacks is left out,
# but for `devices`: without its rules a container could open the host's disks.
CONTROLLERS = (
    "cpuset",
    "devices",
    "memory",
    "cpu",
    "cpuacct",
    "pids",
    "blkio",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "freezer",
    "rdma",
    "name=systemd",
    "misc",
)
UNIFIED = ""  # the version 2 hierarchy of a hybrid host


class CgroupV1(Cgroup):
    """A cgroup of version 1 or of a hybrid host."""

    __slots__ = ()

    def create(self, resources: Resources | None, device_paths: Collection[str] = ()) -> None:
        try:
            self._make(resources)
            self.set(resources)
            self._restrict_devices(resources, device_paths)
        except BaseException:
            self.undo()
            raise

    def writes(self, resources: Resources | None) -> list[Write]:
        return limit_writes(resources, 1)

    def directory(self, controller: str) -> str | None:
        return self.paths.get(controller)

    def _restrict_devices(self, resources: Resources | None, device_paths: Collection[str]) -> None:
        path = self.paths.get("devices")
        if path is None:  # not joined, which only a rootless runtime tolerates
            return
        if path in self._made:
            if self.device_lines is None:
                self.device_lines = _first_lines(resources, device_paths)
            self._write_rules(path, self.device_lines)
            return
        from orlop.cgroup import devices

        target = devices.policy(resources, device_paths)
        if self._write_rules(path, devices.by_file(devices.transition(_current(path), target))):
            _verify(path, target)

    def _write_rules(self, path: str, lines: DeviceLines) -> bool:
        try:
            for file, each in lines:
                files.write(f"{path}/{file}", *each, field="linux.resources.devices")
        except CgroupError as error:
            if not (self.rootless and error.errno in files.PERMISSION):
                raise
            return False
        return True

    def join_files(self, below: Below | None = None) -> tuple[str, ...]:
        # `tasks`, not `cgroup.procs`: who writes 0 there moves only itself, and the kernel then leaves out
        # cgroup_threadgroup_rwsem, whose first writer after a pause waits for an RCU grace period: 7 to 11 ms.
        directories = self._below(below)
        return tuple(dict.fromkeys(f"{path}/tasks" for name, path in directories.items() if name != UNIFIED))

    def clone_into(self, below: Below | None = None) -> str | None:
        return self._below(below).get(UNIFIED)

    def kill(self) -> None:
        gone: set[int] = set()
        if unified := self.paths.get(UNIFIED):
            try:
                files.write(unified + "/cgroup.kill", "1")
            except CgroupError as error:
                if error.errno not in files.GONE:
                    raise
            gone = set(files.processes(unified, nested=True))  # those that are about to die
        freezer = self.freezer()
        try:
            if not gone.issuperset(self.pids()):  # a host without the version 2 part, or somebody moved a process
                self._kill_each(freezer)
        finally:
            if freezer:
                freezer.release()

    def _kill_each(self, freezer: Freezer | None) -> None:
        """Kill one by one, frozen so that none forks faster than we signal."""
        if freezer:
            try:
                freezer.freeze()
            except CgroupError:
                pass  # the signal is still worth it
        self.signal(9)

    def freezer(self) -> Freezer | None:
        from orlop.cgroup.freezer import FreezerV1

        path = self.paths.get("freezer")
        return FreezerV1(path) if path is not None else None

    def frozen_file(self) -> str | None:
        path = self.paths.get("freezer")
        return f"{path}/freezer.state" if path is not None else None

    def _make(self, resources: Resources | None) -> None:
        there = False
        for path in dict.fromkeys(self.paths.values()):
            try:
                made = files.make(path)
            except CgroupError as error:
                if error.errno not in files.PERMISSION or not (self.lenient or self._limits_nothing(path)):
                    raise
                self.paths = {name: each for name, each in self.paths.items() if each != path}
                continue
            self._made += made
            there = there or not made
        if cpuset := self.paths.get("cpuset"):
            _fill_cpuset(cpuset, resources, fresh=cpuset in self._made)
        if there:  # one that we made has no process, and cannot be frozen itself
            self.check_free()

    def _limits_nothing(self, path: str) -> bool:
        """A rootless runtime is often given the controllers alone, and not the hierarchies that only name processes."""
        names = [name for name, each in self.paths.items() if each == path]
        return self.rootless and all(name == UNIFIED or name.startswith("name=") for name in names)

    def _below(self, below: Below | None) -> dict[str, str]:
        if not below:
            return self.paths
        if UNIFIED in below:
            return {name: below_path(path, below[UNIFIED]) for name, path in self.paths.items()}
        if unknown := [name for name in below if name not in self.paths]:
            raise ConfigError(f"unknown controller {unknown[0]} in SubCgroupPaths")
        return {name: below_path(path, below.get(name, "")) for name, path in self.paths.items()}


def _fill_cpuset(path: str, resources: Resources | None, *, fresh: bool) -> None:
    """Give a cgroup the processors and memory nodes of its parent: one without takes no process (cpuset(7)).

    Those that the config names are set with the other limits, but the ones above it must have them even then.
    """
    cpu = resources.get("cpu") if resources else None
    asked = cpu if isinstance(cpu, dict) else {}
    for key in ("cpus", "mems"):
        file = f"cpuset.{key}"
        if asked.get(key):
            _inherited(os.path.dirname(path), file)
        elif fresh:  # it is empty: no need to look
            files.write(f"{path}/{file}", _inherited(os.path.dirname(path), file), field="linux.cgroupsPath")
        else:
            _inherited(path, file)


def _inherited(path: str, file: str) -> str:
    """Return the value of a cpuset file, after having copied it from the parent where it is empty."""
    name = f"{path}/{file}"
    try:
        value = files.read(name).strip()
    except OSError as error:
        code = error.errno or errno.EIO
        raise CgroupError(code, f"cannot read {name}: {files.reason(code)}", call="read", path=name) from None
    if not value:
        value = _inherited(os.path.dirname(path), file)
        files.write(name, value, field="linux.cgroupsPath")
    return value


def _first_lines(resources: Resources | None, device_paths: Collection[str]) -> DeviceLines:
    """Return the lines for a new cgroup: it has the rules of its parent, and nobody in it who could notice a new
    beginning."""
    from orlop.cgroup import devices

    return devices.by_file(devices.transition(devices.Policy(allow=True), devices.policy(resources, device_paths)))


def _current(path: str) -> Policy:
    from orlop.cgroup import devices

    return devices.parse_list(files.read(path + "/devices.list"))


def _verify(path: str, target: Policy) -> None:
    """Look whether the kernel has what we wrote: it accepts, and ignores, what it cannot express."""
    got = _current(path)
    if got.allow != target.allow or (not target.allow and got.exceptions != target.exceptions):
        message = "linux.resources.devices: resulting devices cgroup doesn't match the rules"
        raise CgroupError(errno.EINVAL, message, field="linux.resources.devices", path=path + "/devices.list")
