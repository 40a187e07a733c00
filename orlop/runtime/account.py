"""The final account of a container: how it ended, and what it used.

How it ended is what its parent is told by wait4(2), or, while nobody has reaped it, what /proc says.  Why it ended
is never guessed from the number 137: `oom` is said only where the kernel has counted a kill for want of memory, and
its log, where it can be read, names the first process.
"""

from __future__ import annotations

import time

from orlop import system as os
from orlop.cgroup.stats.final import final
from orlop.errors import OrlopError
from orlop.host import kernel_log
from orlop.host.probe import read_text
from orlop.runtime.handover import made_anew
from orlop.spec.json import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from orlop.runtime.container import Found
    from orlop.state.store import Record, Store

    class Usage(Protocol):
        """What is read of a struct_rusage."""

        @property
        def ru_utime(self) -> float: ...
        @property
        def ru_stime(self) -> float: ...
        @property
        def ru_maxrss(self) -> int: ...


FILE = "account.json"
EXIT, SIGNAL, OOM, UNKNOWN = "exit", "signal", "oom", "unknown"
INIT, CHILD = "init", "child"
_SIGKILL = 9
_NANO = 1_000_000_000


class Account:
    """How a container ended and what it used; None is what nobody knows.

    `reason` is "exit" (then `exit_code`), "signal" (then `signal`), "oom" (the kernel killed the first process for
    want of memory; `signal` is 9), or "unknown" (another process has reaped it).  `oom_killed` is "init", "child" for
    kills that the first process outlived, or None; `oom_kills` counts them all.  Memory and I/O are in bytes, times
    in nanoseconds.  `memory_peak` is all of the container's, page cache included; `largest_process` the resident
    memory of its largest process.  `pids_refused` counts how often the limit on processes was in the way.  The time
    that orlop took to make the container is part of the CPU time, not of the wall time.
    """

    FIELDS = (
        "reason",
        "exit_code",
        "signal",
        "oom_killed",
        "oom_kills",
        "memory_peak",
        "largest_process",
        "cpu_total",
        "cpu_user",
        "cpu_system",
        "cpu_throttled",
        "cpu_throttled_periods",
        "io_read",
        "io_written",
        "io_reads",
        "io_writes",
        "pids_peak",
        "pids_refused",
        "wall_time",
    )
    __slots__ = FIELDS

    def __init__(self, values: dict[str, object]) -> None:
        self.reason: str = str(values.get("reason") or UNKNOWN)
        self.oom_killed: str | None = _text(values.get("oom_killed"))
        for name in self.FIELDS:
            if name not in ("reason", "oom_killed"):
                setattr(self, name, _whole(values.get(name)))

    if TYPE_CHECKING:
        exit_code: int | None
        signal: int | None
        oom_kills: int | None
        memory_peak: int | None
        largest_process: int | None
        cpu_total: int | None
        cpu_user: int | None
        cpu_system: int | None
        cpu_throttled: int | None
        cpu_throttled_periods: int | None
        io_read: int | None
        io_written: int | None
        io_reads: int | None
        io_writes: int | None
        pids_peak: int | None
        pids_refused: int | None
        wall_time: int | None

    def as_document(self) -> dict[str, object]:
        """The account as JSON has it; each key is there, null where nobody knows."""
        return {key: getattr(self, name) for name, key in _KEYS.items()}

    def __repr__(self) -> str:
        known = [f"{name}={value!r}" for name in self.FIELDS if (value := getattr(self, name)) is not None]
        return f"Account({', '.join(known)})"


def final_account(found: Found) -> Account:
    """The account of a container that has ended: kept by who waited for it, or made of what its monitor, its zombie and
    its cgroup tell.  Blocks, two seconds at most, while its monitor is about to end."""
    account = kept(found.store)
    if account is not None:
        return account
    if found.record.monitor:
        from orlop.runtime.monitor import ended

        told = ended(found.store, found.record)
        if told is not None:
            status, usage, wall_time = told.status, told.usage, told.wall_time
            return collect(found.record, status=status, usage=usage, wall_time=wall_time, copies=told.copies)
    return collect(found.record)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_KEYS = {name: _camel(name) for name in Account.FIELDS}


def collect(
    record: Record,
    *,
    status: int | None = None,
    usage: Usage | None = None,
    wall_time: int | None = None,
    copies: Mapping[str, str] | None = None,
) -> Account:
    """Make the account of a container whose first process has ended, before its cgroup is removed.

    `status` is that of wait(2), `usage` what wait4(2) adds; without a status it is looked for in /proc.  `copies`
    stand for files of a cgroup that is gone.  Does not block, never raises.
    """
    values: dict[str, object] = dict(final(record.cgroup_paths, copies))
    if status is None:
        status = _status_of_zombie(record)
    if status is not None:
        if os.WIFSIGNALED(status):
            values["reason"], values["signal"] = SIGNAL, os.WTERMSIG(status)
        else:
            values["reason"], values["exit_code"] = EXIT, os.WEXITSTATUS(status)
    if usage is not None:
        values["largest_process"] = usage.ru_maxrss * 1024
        if "cpu_total" not in values:  # no cgroup: what the first process and those that it has waited for have used
            values["cpu_user"], values["cpu_system"] = int(usage.ru_utime * _NANO), int(usage.ru_stime * _NANO)
            values["cpu_total"] = int((usage.ru_utime + usage.ru_stime) * _NANO)
    values["wall_time"] = wall_time
    if values.get("oom_kills"):
        values["oom_killed"] = CHILD
        if values.get("signal") == _SIGKILL and _killed_by_kernel(record):
            values["oom_killed"], values["reason"] = INIT, OOM
    elif "oom_kills" not in values and values.get("signal") == _SIGKILL:
        # systemd removes the cgroup of a unit as soon as that is empty: the kernel's log remains
        if kernel_log.oom_killed(record.init_process_pid, record.init_process_start):
            values["oom_killed"], values["reason"] = INIT, OOM
    return Account(values)


def _killed_by_kernel(record: Record) -> bool:
    """Was it the kernel that killed the first process?  Its log says so.  Where that cannot be read, a SIGKILL in a
    container that has had a kill for want of memory is taken for one."""
    said = kernel_log.oom_killed(record.init_process_pid, record.init_process_start)
    return True if said is None else said


def _status_of_zombie(record: Record) -> int | None:
    """The status of a process that has ended and that its parent has not reaped (proc_pid_stat(5), exit_code)."""
    try:
        text = read_text(f"/proc/{record.init_process_pid}/stat")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] != "Z" or int(fields[19]) != record.init_process_start:
        return None
    status = int(fields[49])
    return status if status or os.geteuid() == 0 else None  # who may not look is shown a 0


def keep(store: Store, account: Account) -> None:
    """Keep the account in the state directory, until delete.  Raises OrlopError."""
    store.write(FILE, dump(account.as_document()))


def kept(store: Store) -> Account | None:
    """The account that `keep` has left, or None."""
    try:
        document = parse(read_text(f"{store.path}/{FILE}").encode(), FILE)
    except (OSError, OrlopError):
        return None
    if not isinstance(document, dict):
        return None
    return Account({name: document.get(key) for name, key in _KEYS.items()})


class Destination:
    """The file that is to hold the account: seen to be writable before the container runs, written when it has."""

    __slots__ = ("_aside", "_path")

    def __init__(self, path: str) -> None:
        """Make a file aside.  Raises OrlopError where that is not possible."""
        directory, name = os.path.split(os.path.abspath(path))
        self._path = f"{directory}/{name}"
        self._aside = f"{directory}/.{name}.{os.getpid()}"
        if os.path.isdir(self._path):
            raise OrlopError(f"unable to write the account {self._path}: is a directory")
        self._write(b"")

    def write(self, account: Account) -> None:
        """Put the account there.  Raises OrlopError."""
        self._write(dump(account.as_document(), "  ").encode() + b"\n")
        try:
            os.rename(self._aside, self._path)
        except OSError as error:
            raise self._failed(error) from None

    def abandon(self) -> None:
        """Leave no file, where none was written."""
        try:
            os.unlink(self._aside)
        except OSError:
            return

    def _write(self, data: bytes) -> None:
        try:
            descriptor = made_anew(self._aside, 0o644)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> OrlopError:
        message = f"unable to write the account {self._path}: {(error.strerror or '').lower()}"
        return OrlopError(message, hint="choose another file with --account")


def elapsed(since: int) -> int:
    """Nanoseconds since a `time.monotonic_ns()`."""
    return time.monotonic_ns() - since


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
