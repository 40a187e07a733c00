"""The id maps of user namespaces (user_namespaces(7)): the container's, and those of id-mapped mounts."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import KernelError, OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from orlop.runtime.waiting import Steps
    from orlop.spec.types import IDMapping, Spec

    # The maps of users and groups, or the path of the namespace that has them.
    Maps: TypeAlias = tuple[list[IDMapping], list[IDMapping]] | str


class MountMaps:
    """The id-mapped mounts of a config: `numbers` gives for the index of each the descriptor that the executor finds
    its user namespace under, the first right after the control socket.  Mounts with the same maps share one."""

    __slots__ = ("maps", "numbers")

    def __init__(self, spec: Spec, control: int) -> None:
        self.maps: list[Maps] = []
        self.numbers: dict[int, int] = {}
        for index, mount in enumerate(spec.get("mounts") or []):
            words = mount.get("options") or []
            maps: Maps
            if mount.get("uidMappings"):
                maps = (mount["uidMappings"], mount.get("gidMappings") or [])
            elif "idmap" in words or "ridmap" in words:
                maps = _of_the_container(spec)
            else:
                continue
            if maps not in self.maps:
                self.maps.append(maps)
            self.numbers[index] = control + 1 + self.maps.index(maps)

    def open(self) -> Steps[dict[int, int]]:
        """The user namespaces, as {number: descriptor}; the caller closes the descriptors."""
        found: dict[int, int] = {}
        number = min(self.numbers.values())
        try:
            for maps in self.maps:
                if isinstance(maps, str):
                    found[number] = os.open(maps, os.O_RDONLY | os.O_CLOEXEC)
                else:
                    found[number] = yield from user_namespace(*maps)
                number += 1
        except BaseException:
            for fd in found.values():
                os.close(fd)
            raise
        return found


def _of_the_container(spec: Spec) -> Maps:
    linux = spec.get("linux") or {}
    path = next((row.get("path") for row in linux.get("namespaces") or [] if row["type"] == "user"), None)
    return path or (linux.get("uidMappings") or [], linux.get("gidMappings") or [])


def user_namespace(uids: list[IDMapping], gids: list[IDMapping]) -> Steps[int]:
    """A descriptor of a new user namespace with these maps.  A short-lived process makes it."""
    from orlop.executor.link import Executor
    from orlop.plan import events
    from orlop.plan.idmap import namespace_program

    program = namespace_program(os.uname().machine)
    helper = Executor(program)
    try:
        yield (helper.socket.fileno(), None)
        event = helper.receive()
        if event is not None and event.kind == events.PID:
            write_maps(helper.pid, uids, gids)
            return os.open(f"/proc/{helper.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        if event is not None:
            from orlop.runtime.failure import failure

            raise failure(program, event)
        raise OrlopError("the helper process of an id-mapped mount was killed")
    finally:
        helper.close()
        os.waitpid(helper.pid, 0)


def write_maps(pid: int, uids: list[IDMapping], gids: list[IDMapping]) -> None:
    """Give the user namespace of a process its maps.  Blocks for newuidmap and newgidmap, where they are needed.

    Root writes any map; another may write one line that maps its own id, and asks the setuid helpers for more.
    """
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
            f"unable to write {path}: {(error.strerror or '').lower()}",
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
