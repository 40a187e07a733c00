"""What orlop remembers of a container: one directory, <root>/<id>, on a tmpfs.

    state.json      this record, written aside and renamed
    config.json     the config as it was at create, byte for byte
    resources.json  linux.resources as the last update left it; missing where there was none
    init.stat       what /proc said of the first process, where a program wrote the record (state/replayed.py)
    brief           what a program needs to start and to delete it, of those that one can (state/brief.py)
    exec.fifo       exists while the container waits for start
    account.json    how it ended and what it used, where that was known then (runtime/account.py)
    monitor         what its monitor records, where it has one (runtime/monitor.py)
    programs/       what exec does not plan again (runtime/exec_planning.py)

The directory itself is what commands lock.  It is made first and removed last, so that a crash at any point leaves
something that `delete` finds.
"""

from __future__ import annotations

import errno
import fcntl
import time

from orlop import system as os
from orlop.errors import ConfigError, NotFound, OrlopError, StateError
from orlop.host.probe import read_text
from orlop.spec.json_line import line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FIFO = "exec.fifo"
BRIEF = "brief"
_LOOK_AGAIN = 0.01  # seconds
HOOK_REPORT = f"{FIFO}.hook"  # the plan has it put there
_RECORD = "state.json"
_CONFIG = "config.json"
_RESOURCES = "resources.json"
_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-")
# Raised when an older orlop could not act rightly on a record.  A field that is only added does not raise it: `load`
# gives it a default, so that containers go on over an upgrade (tests/unit/state).
FORMAT = 1
REPLAYED = 2  # of a record that a program wrote: what it could not know is beside it
# What the fields are that came after the first version, where a record lacks them.
_ADDED: dict[str, Callable[[], object]] = {
    "intel_rdt_path": str,
    "intel_rdt_mon_path": str,
    "intel_rdt_made": list,
    "monitor": list,
    "new_keyring": lambda: True,
}


class Record:
    """The content of state.json.

    `pid` and `start` are those of the container's first process (0 until it exists; clock ticks since boot),
    `created` is RFC 3339 in UTC, `cgroup_paths` as runc records them, `namespaces` the types
    of those that are the container's own.  `intel_rdt_path` and `intel_rdt_mon_path` are its groups of resctrl, and
    `intel_rdt_made` those of them that are removed with it.  `monitor` is pid and start of the process that reaps the
    first one and records its end, empty where there is none.  `new_keyring`: its processes share a session keyring of
    their own.
    """

    FIELDS = (
        "id",
        "init_process_pid",
        "init_process_start",
        "created",
        "bundle",
        "rootfs",
        "annotations",
        "cgroup_paths",
        "namespaces",
        "systemd_cgroup",
        "rootless",
        "intel_rdt_path",
        "intel_rdt_mon_path",
        "intel_rdt_made",
        "monitor",
        "new_keyring",
    )
    __slots__ = FIELDS

    def __init__(
        self,
        id: str,
        bundle: str,
        rootfs: str,
        created: str,
        *,
        annotations: dict[str, str] | None = None,
        namespaces: list[str] | None = None,
        systemd_cgroup: bool = False,
        rootless: bool = False,
        new_keyring: bool = True,
    ) -> None:
        self.id = id
        self.bundle = bundle
        self.rootfs = rootfs
        self.created = created
        self.intel_rdt_path = ""
        self.intel_rdt_mon_path = ""
        self.intel_rdt_made: list[str] = []
        self.monitor: list[int] = []
        self.init_process_pid = 0
        self.init_process_start = 0
        self.annotations = annotations or {}
        self.cgroup_paths: dict[str, str] = {}
        self.namespaces = namespaces or []
        self.systemd_cgroup = systemd_cgroup
        self.rootless = rootless
        self.new_keyring = new_keyring


def encoded(record: Record, number: int) -> bytes:
    """The text of state.json, in the format of this number."""
    return line({"orlop_format": number, **{name: getattr(record, name) for name in Record.FIELDS}}).encode()


def now() -> str:
    """The time, RFC 3339 with nanoseconds, UTC."""
    return timestamp(time.time_ns())


def timestamp(nanoseconds: int) -> str:
    """A time since the epoch, RFC 3339 with nanoseconds, UTC."""
    seconds, nanoseconds = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"


def check_id(container_id: str) -> None:
    """Raise ConfigError for an id that cannot be one."""
    if not container_id:
        raise ConfigError("container id cannot be empty")
    if container_id in (".", "..") or not _CHARACTERS.issuperset(container_id):
        hint = "use letters, digits and the characters _ + . -"
        raise ConfigError(f"invalid container ID format: {container_id}", hint=hint)
    if len(container_id) > 255:
        raise ConfigError("container id is longer than 255 characters, the longest name of a file")


class Store:
    """The directory of one container."""

    __slots__ = ("container_id", "path")

    def __init__(self, root: str, container_id: str) -> None:
        check_id(container_id)
        self.container_id = container_id
        self.path = f"{root}/{container_id}"

    def make(self, root: str) -> None:
        """Make the directory, and the root if need be.  Raises StateError when the id is in use."""
        try:
            os.makedirs(root, 0o700, exist_ok=True)
        except OSError as error:
            raise _refused(f"make the state directory {root}", error) from None
        try:
            os.mkdir(self.path, 0o711)
        except FileExistsError:
            message = f"container with given ID already exists: {self.container_id}"
            hint = f"choose another id, or remove it: delete {self.container_id}"
            raise StateError(message, hint=hint) from None
        except OSError as error:
            raise _refused(f"make the state directory {self.path}", error) from None

    def save(self, record: Record) -> None:
        """Write the record so that no reader ever sees half of it."""
        self.prepare(record)
        self.settle()

    def prepare(self, record: Record) -> None:
        """Write the record aside: no reader sees it before `settle`."""
        self._write_aside(_RECORD, encoded(record, FORMAT))

    def settle(self) -> None:
        """Let readers see the record that was prepared."""
        self._rename(_RECORD)

    def write(self, name: str, text: str | bytes) -> None:
        """Write a file of the directory aside, and rename it."""
        self._write_aside(name, text.encode() if isinstance(text, str) else text)
        self._rename(name)

    def _read(self, name: str) -> bytes:
        return os.fsencode(read_text(f"{self.path}/{name}"))

    def _write_aside(self, name: str, data: bytes) -> None:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(f"{self.path}/.{name}", flags, 0o600)
            try:
                while data:
                    data = data[os.write(fd, data) :]
            finally:
                os.close(fd)
        except OSError as error:
            raise self._unwritten(name, error) from None

    def _rename(self, name: str) -> None:
        try:
            os.rename(f"{self.path}/.{name}", f"{self.path}/{name}")
        except OSError as error:
            raise self._unwritten(name, error) from None

    def _unwritten(self, name: str, error: OSError) -> OrlopError:
        return _refused(f"write {self.path}/{name}", error)

    def make_fifo(self) -> None:
        """Make the fifo on which the container waits for start."""
        try:
            os.mkfifo(f"{self.path}/{FIFO}", 0o600)
        except OSError as error:
            raise _refused(f"make {self.path}/{FIFO}", error) from None

    def report(self) -> bytes:
        """What the container's process has left of a hook that failed after `create`; nothing most often."""
        try:
            fd = os.open(f"{self.path}/{HOOK_REPORT}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.read(fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)

    def save_config(self, data: bytes) -> None:
        """Keep the config: what the bundle holds later has no effect (runtime-spec, lifecycle)."""
        self.write(_CONFIG, data)

    def config(self) -> bytes:
        """The config of create."""
        return self._read(_CONFIG)

    def save_resources(self, resources: dict[str, object]) -> None:
        """Keep the limits of an update."""
        self.write(_RESOURCES, line(resources))

    def resources(self) -> dict[str, object] | None:
        """The limits of the last update, or None where there was none."""
        from orlop.spec.json import parse

        path = f"{self.path}/{_RESOURCES}"
        try:
            found = parse(self._read(_RESOURCES), path)
        except FileNotFoundError:
            return None
        return found if isinstance(found, dict) else None

    def load(self) -> Record:
        """The record.  Raises NotFound when there is none."""
        try:
            data = self._read(_RECORD)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"container does not exist: {self.container_id}") from None
        except OSError as error:
            raise _refused(f"read {self.path}/{_RECORD}", error) from None
        from orlop.spec.json import parse

        found = parse(data, f"{self.path}/{_RECORD}")
        record = Record.__new__(Record)
        try:
            if found["orlop_format"] > REPLAYED:  # type: ignore[index]
                hint = "use the version that created the container, or a newer one"
                raise OrlopError(f"{self.path}/{_RECORD} was written by a newer version of orlop", hint=hint)
            for name in Record.FIELDS:
                if name in found or name not in _ADDED:  # type: ignore[operator]
                    setattr(record, name, found[name])  # type: ignore[index]
                else:
                    setattr(record, name, _ADDED[name]())
        except (KeyError, TypeError):
            hint = "it was not written by this version of orlop; remove it with delete --force"
            raise OrlopError(f"{self.path}/{_RECORD} is not a container's record", hint=hint) from None
        if found["orlop_format"] == REPLAYED:  # type: ignore[index]
            from orlop.state.replayed import complete

            complete(record, self.path)
        return record

    def lock(self, deadline: float | None = None) -> int:
        """Lock the container against other commands; the caller closes the descriptor.  Blocks until it is free, or,
        with a deadline (in seconds of time.monotonic), goes on without it then.  Raises NotFound."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"container does not exist: {self.container_id}") from None
        except OSError as error:
            raise _refused(f"lock {self.path}", error) from None
        try:
            _await_lock(fd, deadline)
            if not self._is_at(fd):  # removed while we waited, and perhaps made anew: it is not what the caller knows
                raise NotFound(f"container does not exist: {self.container_id}")
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _is_at(self, fd: int) -> bool:
        try:
            there, ours = os.stat(self.path), os.fstat(fd)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def exists(self) -> bool:
        return os.path.isdir(self.path)

    def remove(self) -> None:
        """Remove the directory and what is in it.  What is missing, or another command removes meanwhile, is fine."""
        _remove(self.path)


def _refused(what: str, error: OSError) -> OrlopError:
    from orlop.state.refusal import refused

    return refused(what, error)


def _await_lock(fd: int, deadline: float | None) -> None:
    if deadline is None:
        fcntl.flock(fd, fcntl.LOCK_EX)
        return
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return
            time.sleep(_LOOK_AGAIN)


def _remove(path: str) -> None:
    """A directory of our own state, in which a command may still write: an `exec` what it has planned."""
    for last in (False, False, True):
        try:
            names = os.listdir(path)
        except FileNotFoundError:
            return
        for name in sorted(names, key=lambda name: name == _RECORD):  # the record last: it names the cgroup
            try:
                os.unlink(f"{path}/{name}")
            except FileNotFoundError:
                continue
            except IsADirectoryError:
                _remove(f"{path}/{name}")
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or last:
                raise
