"""The few things done to the files of a cgroup file system: read, write, make, remove, list processes.

cgroup file systems are the host's, nobody inside a container can put a link into them, so plain paths are used.
"""

from __future__ import annotations

import errno
import time

from orlop import system as os
from orlop.errors import CgroupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# What the kernel says for "you may not", also on a read-only mount.
PERMISSION = (errno.EPERM, errno.EACCES, errno.EROFS)
# A cgroup that is removed while we look: the file is not there, or its cgroup is dead.
GONE = (errno.ENOENT, errno.ENODEV)

# What is done, for who wants to do the same again (runtime/replay.py): ("make" | "read" | "write", path, text).
journal: list[tuple[str, str, str]] | None = None

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MKDIR_TRIES = 1000
_BUSY_RETRIES = 10
_FIRST_DELAY = 0.001  # seconds, doubled with each retry: one second in all


def reason(error: int) -> str:
    """Return the kernel's words for an errno as the end of a message: "permission denied"."""
    text = os.strerror(error)
    return text[:1].lower() + text[1:]


def read(path: str, below: int | None = None) -> str:
    """Return the content of a cgroup file, whose path may be relative to the descriptor `below`.  Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=below)
    try:
        text = os.read(descriptor, 65536)
        while chunk := os.read(descriptor, 65536):
            text += chunk
    finally:
        os.close(descriptor)
    found = text.decode("ascii", "surrogateescape")
    if journal is not None:
        journal.append(("read", path, found))
    return found


def write(path: str, *values: str, field: str | None = None) -> None:
    """Write each value with a write of its own, which is how cgroup files take more than one.

    Raises CgroupError that names `field`, the file and the value.
    """
    value = ""
    call = "open"
    try:
        descriptor = os.open(path, os.O_WRONLY)
        call = "write"
        try:
            for value in values:
                os.write(descriptor, value.encode())
                if journal is not None:
                    journal.append(("write", path, value))
        finally:
            os.close(descriptor)
    except OSError as error:
        code = error.errno or errno.EIO
        prefix = f"{field}: " if field else ""
        raise CgroupError(
            code,
            f'{prefix}cannot write "{value or " ".join(values)}" to {path}: {reason(code)}',
            call=call,
            field=field,
            path=path,
        ) from None


def make(path: str) -> list[str]:
    """Make a cgroup and the parents that it lacks; return what was made, the topmost first (empty: it was there).

    The last one is tried first, as the parents are nearly always there.  Raises CgroupError, and leaves nothing then.
    """
    made: list[str] = []
    missing = [path]
    for _ in range(_MKDIR_TRIES):  # bounded, as somebody may remove a parent between our making it and using it
        try:
            os.mkdir(missing[-1], 0o755)
            made.append(missing[-1])
            if journal is not None:
                journal.append(("make", missing[-1], ""))
        except FileExistsError:
            pass
        except FileNotFoundError:
            missing.append(os.path.dirname(missing[-1]))
            continue
        except OSError as error:
            unmake(made)
            raise _cannot("create", "mkdir", error.errno or errno.EIO, missing[-1]) from None
        missing.pop()
        if not missing:
            return made
    unmake(made)
    raise _cannot("create", "mkdir", errno.ENOENT, path)


def unmake(made: list[str]) -> None:
    """Remove what `make` made, in so far as nobody uses it by now."""
    while made:
        try:
            os.rmdir(made.pop())
        except OSError:
            pass


def remove(path: str, *, patient: bool = True) -> None:
    """Remove a cgroup and all below it; a missing one is fine.

    Processes that are about to die keep a cgroup busy, so EBUSY is retried with a doubling delay, unless `patient` is
    false: blocks for a second at most for each.  Raises CgroupError.
    """
    if _rmdir(path) in (0, *GONE):
        return
    try:
        for above, name, emptied in each_below(path):
            if emptied:
                _remove(name, above, patient)
    except OSError as error:  # rmdir says EROFS on a read-only mount even for what is not there
        if error.errno not in GONE:
            raise _cannot("remove", "rmdir", error.errno or errno.EIO, path) from None
    try:
        _remove(path, None, patient)
    except OSError as error:
        raise _cannot("remove", "rmdir", error.errno or errno.EIO, path) from None


def _remove(path: str, below: int | None, patient: bool) -> None:
    delay = _FIRST_DELAY
    code = _rmdir(path, below)
    for _ in range(_BUSY_RETRIES if patient else 0):
        if code != errno.EBUSY:
            break
        time.sleep(delay)
        delay *= 2
        code = _rmdir(path, below)
    if code and code not in GONE:
        raise OSError(code, "")


def each_below(path: str) -> Iterator[tuple[int, str, bool]]:
    """Each cgroup below one, as (descriptor of the one above, name, `emptied`): before those that are below it, and
    once more after them.  Raises OSError.

    A container that may write to its own nests as many as it likes: so there is no recursion, and no path that gets
    longer than the kernel takes.
    """
    here = os.open(path, _DIRECTORY)
    try:
        names: list[str] = []
        pending = [_names(here)]
        while True:
            if pending[-1]:
                name = pending[-1].pop()
                yield here, name, False
                try:
                    here = _step(here, name)
                except OSError as error:
                    if error.errno not in GONE:
                        raise
                    continue
                names.append(name)
                pending.append(_names(here))
            elif names:
                pending.pop()
                here = _step(here, "..")
                yield here, names.pop(), True
            else:
                return
    finally:
        os.close(here)


def _step(here: int, name: str) -> int:
    there = os.open(name, _DIRECTORY, dir_fd=here)
    os.close(here)
    return there


def _names(here: int) -> list[str]:
    return [entry.name for entry in os.scandir(here) if entry.is_dir(follow_symlinks=False)]


def processes(path: str, *, nested: bool) -> list[int]:
    """Return the ids, in our pid namespace, of a cgroup's processes and, if `nested`, of those of all cgroups below it.

    A cgroup that is missing or vanishes has none.  Raises CgroupError.
    """
    found: list[int] = []
    try:
        _add_processes(found, path, None)
        if nested:
            for above, name, emptied in each_below(path):
                if not emptied:
                    _add_processes(found, name, above)
    except OSError as error:
        code = error.errno or errno.EIO
        if code not in GONE:
            message = f"cannot read the processes of {path}: {reason(code)}"
            raise CgroupError(code, message, call="read", path=path) from None
    return list(dict.fromkeys(found))


def _add_processes(found: list[int], path: str, below: int | None) -> None:
    try:
        try:
            found += [int(line) for line in read(f"{path}/cgroup.procs", below).split()]
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            found += _processes_of_threads(path, below)
    except OSError as error:
        if error.errno not in GONE:
            raise


def _processes_of_threads(path: str, below: int | None) -> Iterator[int]:
    """The processes of a threaded cgroup, which names only its threads: the others are told further up."""
    for thread in read(f"{path}/cgroup.threads", below).split():
        try:
            _, _, rest = read(f"/proc/{thread}/status").partition("\nTgid:")
        except OSError:
            continue  # it has ended
        yield int(rest.split("\n")[0])


def _rmdir(path: str, below: int | None = None) -> int:
    try:
        os.rmdir(path, dir_fd=below)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _cannot(verb: str, call: str, code: int, path: str) -> CgroupError:
    return CgroupError(
        code,
        f"linux.cgroupsPath: cannot {verb} cgroup {path}: {reason(code)}",
        call=call,
        field="linux.cgroupsPath",
        path=path,
    )
