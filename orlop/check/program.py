"""Is the program there?  Looks at the root file system name by name, as the container would see it; opens nothing."""

from __future__ import annotations

import os
import stat

from orlop.check.finding import Finding, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Process, Spec

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LINKS = 40  # path_resolution(7)


def program(spec: Spec, root: str) -> Iterator[Finding]:
    """Tell of a process.args[0] that neither the root file system nor a mount can hold.  Where nothing is unpacked yet,
    there is nothing to tell."""
    process = spec.get("process")
    try:
        if process is None or not os.listdir(root):
            return
    except OSError:
        return  # another rule tells of that
    mounts = {os.path.normpath(mount["destination"]) for mount in spec.get("mounts", [])}
    name = process["args"][0]
    if any(_there(root, place, mounts) for place in _places(name, process)):
        return
    message = f'"{name}" is not in the root file system'
    hint = "name a program that is there, or unpack the right root file system"
    if "/" not in name:
        hint = "name a program in a directory of PATH in process.env, or unpack the right root file system"
    yield warning("process.args[0]", message, why="runtime-spec 1.3, config.md#process", hint=hint)


def _places(name: str, process: Process) -> list[str]:
    cwd = process.get("cwd") or "/"
    if "/" in name:
        return [os.path.join(cwd, name)]
    paths = [entry[5:] for entry in process.get("env", []) if entry.startswith("PATH=")] or [_PATH]
    return [os.path.join(cwd, directory, name) for directory in paths[-1].split(":")]


def _there(root: str, path: str, mounts: set[str]) -> bool:
    """Is there something at a path of the container?  Yes where a mount may bring it, or where we may not look."""
    left = path.split("/")[::-1]
    at, links = "", 0
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = at.rpartition("/")[0]
            continue
        if f"{at}/{name}" in mounts:
            return True
        try:
            mode = os.lstat(f"{root}{at}/{name}").st_mode
            target = os.readlink(f"{root}{at}/{name}") if stat.S_ISLNK(mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        if target is None:
            at = f"{at}/{name}"
            continue
        links += 1
        if links > _LINKS:
            return False
        at = "" if target.startswith("/") else at
        left += target.split("/")[::-1]
    return True
