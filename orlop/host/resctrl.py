"""Groups of the resctrl file system: who shares which cache and memory bandwidth (filesystems/resctrl.rst).

<resctrl>/                    the default group        info/last_cmd_status   why the kernel refused
  <closID or container>/      a group of its own       schemata, tasks
    mon_groups/<container>/   what one container uses  tasks, mon_data/
"""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import ConfigError, KernelError, Problem
from orlop.host.mountinfo import mounts, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import IntelRdt

_FIELD = "linux.intelRdt"
_DEFAULT = "/"
_NOT_MOUNTED = "intelRdt is specified in config, but Intel RDT is not enabled"
_MOUNT = "mount it with `mount -t resctrl resctrl /sys/fs/resctrl`, if the processor and the kernel have it"
_MUST_EXIST = "must be there already, because the config has no schema for it"


def place(proc: str = "/proc") -> str:
    """Where resctrl is mounted.  Raises ConfigError where it is not."""
    for mount in mounts(proc, ("resctrl",)):
        return mount.point
    raise ConfigError([Problem(_FIELD, _NOT_MOUNTED, _MOUNT)])


class Group:
    """The group of one container.  `path` and `monitor` (empty for none) are its directories, `made` those that are to
    be removed with the container."""

    __slots__ = ("_rdt", "_root", "made", "monitor", "path")

    def __init__(self, root: str, rdt: IntelRdt, container_id: str) -> None:
        self._root = root
        self._rdt = rdt
        name = rdt.get("closID") or container_id
        self.path = root if name == _DEFAULT else f"{root}/{name}"
        self.monitor = f"{self.path}/mon_groups/{container_id}" if rdt.get("enableMonitoring") else ""
        self.made: list[str] = []

    def create(self) -> None:
        """Make it, as far as the config says so.  Raises OrlopError; then nothing is left behind."""
        try:
            self._create()
        except BaseException:
            remove(self.made)
            raise

    def _create(self) -> None:
        rdt = self._rdt
        lines = [
            line for line in (rdt.get("l3CacheSchema"), rdt.get("memBwSchema"), *(rdt.get("schemata") or ())) if line
        ]
        named = bool(rdt.get("closID"))
        if named and not lines:
            if not os.path.isdir(self.path):
                raise ConfigError([Problem(f"{_FIELD}.closID", f"clos dir {self.path} not accessible: {_MUST_EXIST}")])
        elif self._make(self.path, keep=named) or not named:
            if lines:
                self._write(f"{self.path}/schemata", "".join(f"{line}\n" for line in lines))
        else:
            self._compare(lines)
        if self.monitor:
            self._make(self.monitor, keep=False)

    def _make(self, path: str, *, keep: bool) -> bool:
        """Make a directory; False for one that is there.  `keep`: it outlives the container, unless create fails."""
        if path == self._root:
            return False
        try:
            os.mkdir(path)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._failed("mkdir", path, error) from None
        self.made.append(path)
        return True

    def _compare(self, lines: list[str]) -> None:
        """A class that is there already must be what the config says it is."""
        try:
            there = parsed(read(f"{self.path}/schemata"))
        except OSError as error:
            raise self._failed("read", f"{self.path}/schemata", error) from None
        for line in lines:
            for resource, domains in parsed(line).items():
                for domain, value in domains.items():
                    found = there.get(resource, {}).get(domain)
                    if found != value:
                        message = f'class "{self._rdt.get("closID")}" has {resource}:{domain}={found}, not {value}'
                        hint = "choose another closID, or give the values that the class has"
                        raise ConfigError([Problem(_FIELD, message, hint)])

    def join(self, pid: int) -> None:
        """Put a process into it."""
        for path in (self.path, self.monitor):
            if path:
                self._write(f"{path}/tasks", str(pid))

    def settle(self) -> None:
        """The container is made: a class that others may name stays when it is removed."""
        if self._rdt.get("closID"):
            self.made = [path for path in self.made if path != self.path]

    def _write(self, path: str, text: str) -> None:
        write(self._root, path, text)

    def _failed(self, call: str, path: str, error: OSError) -> KernelError:
        return failed(self._root, call, path, error)


def write(root: str, path: str, text: str) -> None:
    """Write a file of the resctrl file system that is mounted on `root`."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise failed(root, "write", path, error) from None


def failed(root: str, call: str, path: str, error: OSError) -> KernelError:
    """The kernel's refusal, with what it says about it."""
    try:
        status = read(f"{root}/info/last_cmd_status").strip()
    except OSError:
        status = ""
    message = f"unable to {call} {path}: {(error.strerror or '').lower()}"
    if status and status != "ok":
        message += f", last_cmd_status: {status}"
    number = error.errno or 0
    hint = "the processor has no more classes" if number == errno.ENOSPC else None
    return KernelError(number, message, call=call, field=_FIELD, path=path, hint=hint)


def remove(made: list[str]) -> None:
    """Remove directories that were made for a container, the last first; what is gone already is fine."""
    for path in reversed(made):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            continue


def parsed(text: str) -> dict[str, dict[str, str]]:
    """The lines of a schemata file: {"L3": {"0": "ff"}}, numbers without leading zeros."""
    found: dict[str, dict[str, str]] = {}
    for line in text.split("\n"):
        resource, _, rest = line.strip().partition(":")
        for entry in rest.split(";"):
            domain, equals, value = entry.strip().partition("=")
            if equals:
                found.setdefault(resource, {})[domain.strip().lstrip("0") or "0"] = (
                    value.strip().lower().lstrip("0") or "0"
                )
    return found
