"""Writes the id maps of a new user namespace (user_namespaces(7))."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import KernelError, OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import IDMapping, Linux


def write_maps(pid: int, linux: Linux) -> None:
    """Give the user namespace of a process its maps.  Blocks for newuidmap and newgidmap, where they are needed.

    Root writes any map; another may write one line that maps its own id, and asks the setuid helpers for more.
    """
    uids, gids = linux.get("uidMappings") or [], linux.get("gidMappings") or []
    if os.geteuid() != 0 and not _own_only(uids, os.geteuid()):
        _helper("newuidmap", pid, uids)
    else:
        _write(pid, "uid_map", _lines(uids), "linux.uidMappings")
    if os.geteuid() != 0 and not _own_only(gids, os.getegid()):
        _helper("newgidmap", pid, gids)
        return
    if os.geteuid() != 0:
        _write(pid, "setgroups", "deny", "linux.gidMappings")
    _write(pid, "gid_map", _lines(gids), "linux.gidMappings")


def _own_only(rows: list[IDMapping], own: int) -> bool:
    return len(rows) == 1 and rows[0]["size"] == 1 and rows[0]["hostID"] == own


def _lines(rows: list[IDMapping]) -> str:
    return "".join(f"{row['containerID']} {row['hostID']} {row['size']}\n" for row in rows)


def _write(pid: int, name: str, text: str, field: str) -> None:
    path = f"/proc/{pid}/{name}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        hint = "the host ids must be ones that the runtime itself has, and ranges must not overlap"
        if error.errno == errno.EPERM and os.geteuid() != 0:
            hint = "an ordinary user may map only its own id, or ranges of /etc/subuid and /etc/subgid"
        raise KernelError(
            error.errno or 0,
            f"unable to write {path}: {error.strerror}",
            call="write",
            field=field,
            path=path,
            hint=hint,
        ) from None


def _helper(name: str, pid: int, rows: list[IDMapping]) -> None:
    words = [str(value) for row in rows for value in (row["containerID"], row["hostID"], row["size"])]
    for directory in os.get_exec_path():
        path = f"{directory}/{name}"
        if os.access(path, os.X_OK):
            child = os.posix_spawn(path, [name, str(pid), *words], os.environment)
            _, status = os.waitpid(child, 0)
            if status:
                code = os.waitstatus_to_exitcode(status)
                raise OrlopError(
                    f"{name} failed with status {code}", hint="see /etc/subuid and /etc/subgid for this user"
                )
            return
    raise OrlopError(f"{name} is not installed", hint="install the package uidmap, or map only your own id")
