"""Paths below the container's root, which an attacker may own and change at any time.

No path is ever resolved by string: the kernel looks it up below the root's descriptor with RESOLVE_IN_ROOT, magic links
refused, and everything after works on the descriptor (CVE-2021-30465, CVE-2024-45310).  What is missing is made one
name at a time, below a descriptor that was looked up the same way.
"""

from __future__ import annotations

from errno import EEXIST, ENOENT

from orlop.plan.events import DANGLING
from orlop.program.builder import OPEN_HOW_SIZE
from orlop.program.linux import (
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_PATH,
    O_WRONLY,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
)
from orlop.program.ops import Label, Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.program.builder import Builder

IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_HANDLE = O_PATH | O_CLOEXEC


def clean(path: str) -> str:
    """The path without leading slash, empty and dot components; `..` stops at the root.  The root itself is `.`."""
    out: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del out[-1:]
        elif name and name != ".":
            out.append(name)
    return "/".join(out) or "."


def below(rootfs: str, path: str) -> str | None:
    """What follows in a path of the host that begins with that of the root file system; None for another.  Texts are
    compared, nothing is looked up."""
    path = "/" + clean(path)
    return path[len(rootfs) + 1 :] if path.startswith(rootfs + "/") else None


def look_up(
    b: Builder, root: Register, path: str, *, flags: int = 0, resolve: int = 0, on: dict[int, Label] | None = None
) -> Register:
    """A handle (O_PATH) of what is at a path below the root."""
    return b.get("openat2", root, clean(path), b.open_how(_HANDLE | flags, 0, IN_ROOT | resolve), OPEN_HOW_SIZE, on=on)


def mount_point(
    b: Builder,
    root: Register,
    path: str,
    *,
    directory: bool,
    plain: bool = False,
    dangling: bool = False,
    existing: Callable[[Register], None] | None = None,
) -> Register:
    """A handle of the place to mount on; a directory (0755) or an empty file (0644) is made where there is nothing.

    `plain` refuses symbolic links on the way: for proc, sysfs and /dev, whose content others trust.  With `dangling` a
    link that leads to nothing is followed, and what it names is made.  `existing` adds operations for a place that was
    there before.
    """
    path = clean(path)
    kind = O_DIRECTORY if directory else 0
    resolve = RESOLVE_NO_SYMLINKS if plain else 0
    missing, found = Label(), Label()
    handle = look_up(b, root, path, flags=kind, resolve=resolve, on={ENOENT: missing})
    if existing is not None:
        existing(handle)
    b.jump(found)
    b.place(missing)
    nowhere = Label() if dangling else None
    parent, name = make_parents(b, root, path, nowhere)
    if directory:
        b.do("mkdirat", parent, name, 0o755, ignore=(EEXIST,))
    else:
        make_file(b, parent, name)
    if parent is not root:
        b.close(parent)
    how = b.open_how(_HANDLE | kind, 0, IN_ROOT | resolve)
    b.do("openat2", root, path, how, OPEN_HOW_SIZE, result=handle.number, on={ENOENT: nowhere} if nowhere else None)
    if nowhere is not None:
        b.jump(found)
        b.place(nowhere)
        _make_what_links_name(b, root, path, directory=directory)
        b.do("openat2", root, path, how, OPEN_HOW_SIZE, result=handle.number)
    b.place(found)
    return handle


def make_parents(b: Builder, root: Register, path: str, nowhere: Label | None = None) -> tuple[Register, str]:
    """A handle of the directory that holds the last name of a path, made where it is missing; and that name.

    `nowhere` is where to go on behind a symbolic link that leads to nothing.
    """
    *names, last = clean(path).split("/")
    parent = root
    for depth, name in enumerate(names, 1):
        prefix = "/".join(names[:depth])
        missing, found = Label(), Label()
        handle = look_up(b, root, prefix, flags=O_DIRECTORY, on={ENOENT: missing})
        b.jump(found)
        b.place(missing)
        b.do("mkdirat", parent, name, 0o755, ignore=(EEXIST,))
        how = b.open_how(_HANDLE | O_DIRECTORY, 0, IN_ROOT)
        b.do(
            "openat2", root, prefix, how, OPEN_HOW_SIZE, result=handle.number, on={ENOENT: nowhere} if nowhere else None
        )
        b.place(found)
        if parent is not root:
            b.close(parent)
        parent = handle
    return parent, last


def _make_what_links_name(b: Builder, root: Register, path: str, *, directory: bool) -> None:
    """A symbolic link on the way leads to nothing: the supervisor follows it, below the root, and makes what it names.

    Images link /etc/resolv.conf to a file of /run, which is there only once they have booted.
    """
    text = path.encode("utf-8", "surrogateescape")
    b.event(DANGLING, int(directory), payload=b.constant(text), size=len(text), fds=(root,))
    b.wait(b.space(8), 8)


def make_file(b: Builder, parent: Register, name: str) -> None:
    """An empty file to mount on; whatever is there already stays."""
    there = Label()
    flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    b.close(b.get("openat", parent, name, flags, 0o644, on={EEXIST: there}))
    b.place(there)
