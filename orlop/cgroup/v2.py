"""Cgroups of version 2: one directory, whose controllers must be enabled in every cgroup above it."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.cgroup import files
from orlop.cgroup.base import Cgroup, below_path, limit_writes
from orlop.errors import CgroupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from orlop.cgroup.base import Below, Freezer, Resources
    from orlop.cgroup.fields import Write

# Limits on these need a domain; the others work in a threaded cgroup too (cgroups(7), "thread mode").
_DOMAIN_CONTROLLERS = ("memory", "io", "cpu", "hugetlb")
# Which files of a cgroup its owner may write to (cgroups(7), "cgroups delegation").
_DELEGATE = "/sys/kernel/cgroup/delegate"


class CgroupV2(Cgroup):
    """A cgroup of version 2.  `mount` is where the hierarchy is mounted, `controllers` are those of its top."""

    __slots__ = ("controllers", "mount")

    def __init__(
        self,
        path: str,
        *,
        mount: str,
        controllers: tuple[str, ...] = (),
        rootless: bool = False,
        lenient: bool = False,
    ) -> None:
        super().__init__({"": path}, rootless=rootless, lenient=lenient)
        self.mount = mount
        self.controllers = controllers

    def create(self, resources: Resources | None, device_paths: Collection[str] = ()) -> None:
        writes = self.writes(resources)
        path = self.paths[""]
        try:
            try:
                self._made = files.make(path)
            except CgroupError as error:
                self._refused(error, writes)
                return
            self._enable(path, writes)
            if not self._made:  # one that we made has no process, and cannot be frozen itself
                self.check_free()
            self.set(resources)
        except BaseException:
            self.undo()
            raise

    def set(self, resources: Resources | None) -> None:
        self.check_usage(resources)
        super().set(resources)

    def check_usage(self, resources: Resources | None) -> None:
        memory = resources.get("memory") if resources else None
        if isinstance(memory, dict) and memory.get("checkBeforeUpdate") and self.paths:
            from orlop.cgroup import limits

            limits.check_usage(memory, self.paths[""])

    def writes(self, resources: Resources | None) -> list[Write]:
        return limit_writes(resources, 2)

    def directory(self, controller: str) -> str | None:
        return self.paths.get("")

    def device_program(self, resources: Resources | None, device_paths: Collection[str] = ()) -> bytes | None:
        if self.rootless and not _may_load_filters():
            return None
        from orlop.cgroup import device_program, devices

        return device_program.program(devices.policy(resources, device_paths))

    def clone_into(self, below: Below | None = None) -> str | None:
        path = self.paths.get("")
        return below_path(path, below.get("", "")) if path and below else path

    def give_to(self, uid: int) -> None:
        if not (path := self.paths.get("")):
            return
        try:
            names = files.read(_DELEGATE).split()
        except OSError:
            names = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]
        for name in (".", *names):
            try:
                os.chown(f"{path}/{name}", uid, -1)
            except FileNotFoundError:
                continue  # of a controller that it does not have
            except OSError as error:
                code = error.errno or errno.EIO
                if self.rootless and code in files.PERMISSION:
                    return
                message = f"linux.cgroupsPath: cannot give {path}/{name} to user {uid}: {files.reason(code)}"
                raise CgroupError(code, message, call="chown", field="linux.cgroupsPath", path=path) from None

    def kill(self) -> None:
        try:
            for path in self.paths.values():
                files.write(path + "/cgroup.kill", "1")  # kernel 5.14; frozen processes die of it too
        except CgroupError as error:
            if error.errno == errno.EOPNOTSUPP:
                self._kill_each()
            elif error.errno not in files.GONE:
                raise

    def _kill_each(self) -> None:
        """Kill the processes of a threaded cgroup one by one, frozen so that none forks faster than we signal."""
        if not self.pids():
            return
        try:
            self.freeze()
        except CgroupError:
            pass  # the signal is still worth it
        try:
            self.signal(9)
        finally:
            self.thaw()

    def freezer(self) -> Freezer | None:
        from orlop.cgroup.freezer import FreezerV2

        path = self.paths.get("")
        return FreezerV2(path) if path is not None else None

    def frozen_file(self) -> str | None:
        path = self.paths.get("")
        return f"{path}/cgroup.freeze" if path is not None else None

    def _refused(self, error: CgroupError, writes: list[Write]) -> None:
        """Go on without a cgroup, where a rootless runtime may make none and no limit needs one."""
        if not (self.lenient and error.errno in files.PERMISSION):
            raise error
        if writes:
            error.message = (
                "rootless needs no limits + no cgrouppath when no permission is granted for cgroups: " + error.message
            )
            error.hint = "use --systemd-cgroup, or first: systemd-run --user --scope -p Delegate=yes $SHELL"
            raise error
        self.paths = {}

    def _enable(self, path: str, writes: list[Write]) -> None:
        """Enable all controllers of the top in each cgroup above `path`, so that it has them, as far as we may.

        A limit whose controller could not be enabled fails when it is written, with a better message.  Most often
        the container before this one has enabled them, so the cgroup itself is asked first.
        """
        if path == self.mount:
            return
        if _missing(self.controllers, path, "cgroup.controllers") or _type(path) != "domain":
            _check_type(self.mount, writes)
            here = self.mount
            for name in path[len(self.mount) :].strip("/").split("/"):
                _enable_below(here)
                here += "/" + name
                _check_type(here, writes)


def _may_load_filters() -> bool:
    """The kernel lets only root of the host attach a device filter; others open just what the file modes allow."""
    from orlop.host.user_namespace import in_user_namespace

    return os.geteuid() == 0 and not in_user_namespace()


def _enable_below(path: str) -> None:
    """Give the children of a cgroup all controllers that it has itself."""
    try:
        wanted = files.read(path + "/cgroup.controllers").split()
    except OSError:
        return
    missing = _missing(wanted, path, "cgroup.subtree_control")
    if not missing:
        return
    control = path + "/cgroup.subtree_control"
    try:
        files.write(control, " ".join("+" + name for name in missing))
    except CgroupError as error:
        if error.call == "open" or len(missing) == 1:
            return
        for name in missing:  # the kernel takes all or none: a realtime process alone keeps `cpu` away
            try:
                files.write(control, "+" + name)
            except CgroupError:
                pass


def _missing(wanted: Collection[str], path: str, file: str) -> list[str]:
    if not wanted:
        return []
    try:
        there = files.read(f"{path}/{file}").split()
    except OSError:
        return []
    return [name for name in wanted if name not in there]


def _type(path: str) -> str:
    try:
        return files.read(path + "/cgroup.type").strip()
    except OSError:  # the top has none
        return "domain"


def _check_type(path: str, writes: list[Write]) -> None:
    """Refuse limits that a threaded cgroup cannot have; make one threaded that cannot be a domain."""
    kind = _type(path)
    if kind == "domain":
        return
    needs_domain = any(write.controller in _DOMAIN_CONTROLLERS for write in writes)
    if kind == "domain invalid":
        if needs_domain:
            raise _unusable(path, "it is in an invalid state")
        try:
            files.write(path + "/cgroup.type", "threaded")
        except CgroupError:
            pass
    elif needs_domain:
        raise _unusable(path, f"it is in {kind} mode")


def _unusable(path: str, why: str) -> CgroupError:
    message = f'cannot enter cgroupv2 "{path}" with domain controllers -- {why}'
    hint = (
        "processes or threaded cgroups beside or above it make it threaded, and only pids and cpusets can be limited "
        "in such a one (cgroups(7)): choose another linux.cgroupsPath, or leave out the other limits"
    )
    return CgroupError(errno.EOPNOTSUPP, message, field="linux.cgroupsPath", path=path, hint=hint)
