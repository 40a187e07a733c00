"""What the runtime asks of a container's cgroup, whatever version, driver or privilege the host has.

new → create(resources) → the first process joins → … set, freeze, kill … → delete
             │                     ├ version 2: it is cloned into `clone_into()`
             │                     └ version 1: it writes "0" to each of `join_files()` itself
             └ a failure later on: undo

With `needs_process` (systemd) it is begin(), create_around(pid of the executor), which then clones the first process
where it is itself, and, if it settles(), settle() when that has ended.
"""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.cgroup import files
from orlop.errors import CgroupError, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeAlias

    from orlop.cgroup.fields import Write
    from orlop.cgroup.freezer import FreezerV1, FreezerV2

    Freezer: TypeAlias = FreezerV1 | FreezerV2
    # `linux.resources` of the config; checked before it comes here.
    Resources = Mapping[str, object]
    # A sub-cgroup to run in: controller to relative path, or {"": path} for all (`exec --cgroup`).
    Below = Mapping[str, str]
    DeviceLines = list[tuple[str, list[str]]]


class Cgroup:
    """The cgroup of one container, in all hierarchies that the host has.

    `paths` is what state.json records as `cgroup_paths`: {"": directory} on version 2, controller to directory on
    version 1.  `rootless` says that device rules may fail.  `lenient` says that all that the kernel does not permit is
    tolerated where no limit is asked for, joining included: the runtime is rootless and the config names no cgroup.
    `device_lines` are, by file, what a new cgroup of version 1 gets for its device rules: known once they were worked
    out, or from the last container of this config.
    Nothing blocks but where it is said.
    """

    __slots__ = ("_made", "device_lines", "lenient", "paths", "rootless")

    def __init__(self, paths: dict[str, str], *, rootless: bool = False, lenient: bool = False) -> None:
        self.paths = paths
        self.rootless = rootless
        self.lenient = lenient
        self.device_lines: DeviceLines | None = None
        self._made: list[str] = []

    def create(self, resources: Resources | None, device_paths: Collection[str] = ()) -> None:
        """Make the cgroup, check that it is empty and not frozen, and apply the limits, and version 1's device rules.

        `device_paths`: those of `linux.devices`, which replace default devices.  Undoes what it did when it fails.
        Raises CgroupError and ConfigError.
        """
        raise NotImplementedError

    @property
    def needs_process(self) -> bool:
        """Tell whether the cgroup can be made only around a process: `create_around` and `settle` are called then."""
        return False

    def begin(self) -> None:
        """Begin, before there is a process, what others take their time for.  Raises CgroupError."""

    def create_around(
        self,
        pid: int,
        resources: Resources | None,
        device_paths: Collection[str] = (),
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Do what `create` does, with a process in it.  Blocks until systemd has made the unit, and does `meanwhile`
        before."""
        raise NotImplementedError

    def settles(self, resources: Resources | None) -> bool:
        """Are there limits that have to wait until the process of `create_around` is gone?"""
        return False

    def settle(self, resources: Resources | None) -> None:
        """Apply the limits that had to wait until the process of `create_around` was gone.  Raises CgroupError."""

    def attaches(self, below: Below | None = None) -> bool:
        """Tell whether a further process cannot get in by itself, and `attach` must be called for it."""
        return False

    def attach(self, pid: int, below: Below | None = None) -> None:
        """Move a process into it, or a cgroup below.  Raises CgroupError."""

    def give_to(self, uid: int) -> None:
        """Let a user of the host manage what is below it; on version 1 that would not be safe, and is not done."""

    def set(self, resources: Resources | None) -> None:
        """Apply the limits, not the device rules, to a living container too.  Raises CgroupError and ConfigError."""
        if writes := self.writes(resources):
            from orlop.cgroup import limits

            limits.apply(writes, self.directory)

    def update(self, resources: Resources, previous: Resources | None, then: Callable[[], None] | None = None) -> None:
        """Apply other limits to a living container; when one is refused, all files hold again what they held before.

        `previous` are the limits that were asked for until now.  `then` is done at the end, and when it fails the
        limits are set back too.  Raises CgroupError and ConfigError.
        """
        from orlop.cgroup.rollback import Before

        before = Before(self.writes(resources), self.directory)
        try:
            self.set(resources)
            if then:
                then()
        except BaseException as error:
            before.restore(error)
            raise

    def writes(self, resources: Resources | None) -> list[Write]:
        """Return what the limits are in files; touches none.  Raises ConfigError."""
        raise NotImplementedError

    def check_usage(self, resources: Resources | None) -> None:
        """Refuse a limit of memory below what is used, where that is asked for.  Raises CgroupError."""

    def doubts(self, resources: Resources | None) -> list[str]:
        """Return what of the limits will be left out, in words for a warning."""
        return []

    def directory(self, controller: str) -> str | None:
        """Return where the files of a controller are."""
        return None

    def device_program(self, resources: Resources | None, device_paths: Collection[str] = ()) -> bytes | None:
        """Return the instructions of the BPF_PROG_TYPE_CGROUP_DEVICE program to attach, which is version 2's way."""
        return None

    def join_files(self, below: Below | None = None) -> tuple[str, ...]:
        """Return the files into which a new process writes "0" about itself, in this order."""
        return ()

    def clone_into(self, below: Below | None = None) -> str | None:
        """Return the directory for CLONE_INTO_CGROUP, which version 2 and the version 2 part of a hybrid host want."""
        return None

    def kill(self) -> None:
        """Send SIGKILL to all processes, and thaw them, so that they die."""
        raise NotImplementedError

    def freezer(self) -> Freezer | None:
        """Return what stops and continues its processes; None where nothing does."""
        raise NotImplementedError

    def frozen_file(self) -> str | None:
        """Return the file that tells whether it is frozen; None where nothing freezes."""
        return None

    def freeze(self) -> None:
        """Stop all processes.  Blocks until they are, 10 seconds at most."""
        self._freezer().freeze()

    def thaw(self) -> None:
        """Let the processes of a frozen cgroup go on."""
        self._freezer().thaw()

    def release(self) -> None:
        """Let those die that were killed, wherever they are frozen: by us, or by a container that may write there."""
        if (freezer := self.freezer()) is not None:
            freezer.release()

    def frozen(self) -> bool:
        """Tell whether this very cgroup, and not only one above it, is frozen.  A missing one is not."""
        freezer = self.freezer()
        return freezer is not None and freezer.frozen()

    def _freezer(self) -> Freezer:
        freezer = self.freezer()
        if freezer is None:
            message = "cannot toggle freezer: cgroups not configured for container"
            raise CgroupError(errno.ENOENT, message, field="linux.cgroupsPath")
        return freezer

    def pids(self, *, nested: bool = True) -> list[int]:
        """Return the ids of the processes in it and (`nested`) in all cgroups below it.  Raises CgroupError."""
        path = self.process_path()
        return files.processes(path, nested=nested) if path else []

    def signal(self, signum: int) -> None:
        """Send a signal to each process once.  One that is gone by then is fine.  Raises CgroupError after having tried
        all.

        One of a pid namespace that is not below ours has the id 0 here, which kill(2) takes for our own process group.
        """
        failure: CgroupError | None = None
        for pid in self.pids():
            if pid <= 0:
                continue
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                pass
            except OSError as error:
                code, path = error.errno or errno.EIO, self.process_path()
                message = f"cannot signal process {pid} in {path}: {files.reason(code)}"
                failure = CgroupError(code, message, call="kill", path=path)
        if failure:
            raise failure

    def undo(self) -> None:
        """Take back `create`: remove the cgroups, and the parents, that it made.  Never raises."""
        files.unmake(self._made)

    def delete(self) -> None:
        """Remove the cgroups and all below them; missing ones are fine.

        Blocks for a second at most while processes die.  Raises CgroupError after having tried all.
        """
        failure: CgroupError | None = None
        for path in dict.fromkeys(self.paths.values()):
            try:
                files.remove(path, patient=failure is None)  # a process that lives is in all hierarchies
            except CgroupError as error:
                failure = error
        if failure:
            raise failure

    def process_path(self) -> str | None:
        """Return the directory in whose hierarchy processes are counted."""
        return self.paths.get("devices") or next(iter(self.paths.values()), None)

    def check_free(self) -> None:
        """Refuse a cgroup that was there before and holds processes, or is frozen (runtime-spec: "fitness check")."""
        if found := len(self.pids()):
            raise self._unfit(f"is not empty: {found} process(es) found in", "choose another linux.cgroupsPath")
        if self.frozen():
            raise self._unfit("unexpectedly frozen:", "thaw it, or choose another linux.cgroupsPath")

    def _unfit(self, what: str, hint: str) -> CgroupError:
        path, field = self.process_path(), "linux.cgroupsPath"
        message = f"{field}: container's cgroup {what} {path}"
        return CgroupError(errno.EBUSY, message, field=field, path=path, hint=hint)


def limit_writes(resources: Resources | None, version: int) -> list[Write]:
    """Return `fields.writes`; a config without limits does not pay for the tables."""
    if not resources or not any(resources[name] for name in resources if name != "devices"):
        return []
    from orlop.cgroup import fields

    return fields.writes(resources, version)


def below_path(directory: str, relative: str) -> str:
    """Return a cgroup below `directory`.  Raises ConfigError for a path that leads out of it."""
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ConfigError(f"bad sub cgroup path: {relative}")
    return "/".join([directory, *parts])
