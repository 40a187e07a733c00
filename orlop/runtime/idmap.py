"""The id maps of user namespaces (user_namespaces(7)): the container's, and those of id-mapped mounts."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import KernelError, OrlopError
from orlop.executor.link import Executor, nothing_else
from orlop.host.probe import read_text
from orlop.runtime.waiting import end, ends, reap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias, TypeVar

    from orlop.program.ops import Program
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import IDMapping, Spec

    # The maps of users and groups, or the path of the namespace that has them.
    Maps: TypeAlias = tuple[list[IDMapping], list[IDMapping]] | str
    T = TypeVar("T")


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
    from orlop.plan.idmap import namespace_program

    def mapped(pid: int) -> Steps[int]:
        yield from write_maps(pid, uids, gids)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)

    return (yield from _in_a_helper(namespace_program(os.uname().machine), (), mapped))


def maps_of(path: str) -> Steps[tuple[list[IDMapping], list[IDMapping]]]:
    """The maps of users and groups of the user namespace at a path, as this process sees them.  Only a process in it
    shows them, and so a short-lived one joins it."""
    from orlop.plan.idmap import joining_program

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        message = f'unable to join the user namespace "{path}": {(error.strerror or "").lower()}'
        raise KernelError(error.errno or 0, message, call="open", field="linux.namespaces", path=path) from None
    try:
        return (yield from _in_a_helper(joining_program(os.uname().machine), ((fd, 4),), _read))
    finally:
        os.close(fd)


def mount_inside(spec: Spec, rootfs: str, index: int, namespace: int, pid: int) -> Steps[None]:
    """Make an id-mapped mount in the mount namespace of the process `pid`, which waits for it."""
    from orlop.plan.facts import Facts
    from orlop.plan.idmap import mount_program

    place = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        program = mount_program(spec, Facts(architecture=os.uname().machine), rootfs, index)
        yield from _in_a_helper(program, ((namespace, 4), (place, 5)), _done)
    finally:
        os.close(place)


def _done(_pid: int) -> Steps[None]:
    yield from ()


def _read(pid: int) -> Steps[tuple[list[IDMapping], list[IDMapping]]]:
    yield from ()
    return _rows(f"/proc/{pid}/uid_map"), _rows(f"/proc/{pid}/gid_map")


def _rows(path: str) -> list[IDMapping]:
    lines = [[int(word) for word in line.split()] for line in read_text(path).splitlines()]
    return [{"containerID": inside, "hostID": outside, "size": size} for inside, outside, size in lines]


def _in_a_helper(program: Program, inherit: tuple[tuple[int, int], ...], use: Callable[[int], Steps[T]]) -> Steps[T]:
    """Run a program that waits once it is where it is to be, and use its process."""
    from orlop.plan import events

    helper = Executor(program, inherit=inherit)
    try:
        yield (helper.socket.fileno(), None)
        event = helper.receive()
        if event is not None and event.kind == events.PID:
            return (yield from use(helper.pid))
        if event is not None:
            from orlop.runtime.failure import failure

            raise failure(program, event)
        raise OrlopError("a helper process of the runtime was killed")
    finally:
        helper.close()
        end(helper.pid)  # it has nothing left to do, or hangs in a system call


def write_maps(pid: int, uids: list[IDMapping], gids: list[IDMapping]) -> Steps[None]:
    """Give the user namespace of a process its maps.  Waits for newuidmap and newgidmap, where they are needed.

    Root writes any map; another may write one line that maps its own id, and asks the setuid helpers for more.
    """
    if os.geteuid() != 0 and not _own_only(uids, os.geteuid()):
        yield from _helper("newuidmap", pid, uids)
    else:
        _write(pid, "uid_map", _lines(uids), "linux.uidMappings")
    if os.geteuid() != 0 and not _own_only(gids, os.getegid()):
        yield from _helper("newgidmap", pid, gids)
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


def _helper(name: str, pid: int, rows: list[IDMapping]) -> Steps[None]:
    words = [str(value) for row in rows for value in (row["containerID"], row["hostID"], row["size"])]
    for directory in os.get_exec_path():
        path = f"{directory}/{name}"
        if os.access(path, os.X_OK):
            argv = [name, str(pid), *words]
            child = os.posix_spawn(path, argv, os.environment, file_actions=nothing_else())
            yield from ends(child)
            status = reap(child)
            if status is None:
                raise OrlopError(f"{name} was reaped by another part of this program, so nobody knows how it ended")
            if status:
                code = os.waitstatus_to_exitcode(status)
                raise OrlopError(
                    f"{name} failed with status {code}", hint="see /etc/subuid and /etc/subgid for this user"
                )
            return
    raise OrlopError(f"{name} is not installed", hint="install the package uidmap, or map only your own id")
