"""The terminal: a pair from the container's own devpts, the master sent to the supervisor.

The slave is got from the master itself (TIOCGPTPEER), never by the name /dev/pts/N, which others in the container could
replace (CVE-2025-52565).  For the same reason /dev/console is no symbolic link.
"""

from __future__ import annotations

from _struct import pack
from errno import ELOOP, ENOENT

from orlop.plan import events, paths
from orlop.plan.rootfs import CLONE_TREE, attach
from orlop.program import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction

_FLAGS = linux.O_RDWR | linux.O_NOCTTY | linux.O_CLOEXEC
_HINTS = {
    ENOENT: "a terminal needs a mount of type devpts on /dev/pts",
    ELOOP: "/dev/console, or a directory on the way, is a symbolic link in the image",
}


def open_console(c: Construction) -> None:
    """Before the root is entered: the pair is made, and the slave bound to /dev/console."""
    if not c.process.get("terminal"):
        return
    assert c.root is not None
    b = c.b
    b.purpose("process.terminal", "unable to open a terminal in the container", _HINTS)
    how = b.open_how(_FLAGS, 0, paths.IN_ROOT)
    master = b.get("openat2", c.root, "dev/pts/ptmx", how, 24)
    slave = _slave(c, master)
    if "mount" in c.namespaces:
        tree = b.get("open_tree", slave, "", CLONE_TREE | linux.AT_EMPTY_PATH)
        place = paths.mount_point(b, c.root, "dev/console", directory=False, plain=True)
        attach(b, tree, place)
        b.close(place, tree)
    c.console = slave


def open_console_of_exec(c: Construction) -> None:
    """In a container that runs: a further pair, without /dev/console."""
    if not c.process.get("terminal"):
        return
    b = c.b
    b.purpose("process.terminal", "unable to open a terminal in the container", _HINTS)
    how = b.open_how(_FLAGS, 0, paths.IN_ROOT)
    master = b.get("openat2", linux.AT_FDCWD, "/dev/pts/ptmx", how, 24)
    c.console = _slave(c, master)


def _slave(c: Construction, master):  # type: ignore[no-untyped-def]
    b = c.b
    b.do("ioctl", master, linux.TIOCSPTLCK, pack("<i", 0))
    slave = b.get("ioctl", master, linux.TIOCGPTPEER, _FLAGS)
    size = c.process.get("consoleSize") or {}
    if size.get("height") and size.get("width"):
        b.do("ioctl", slave, linux.TIOCSWINSZ, pack("<HHHH", size["height"], size["width"], 0, 0))
    b.event(events.CONSOLE, fds=(master,))
    b.close(master)
    return slave


def take_console(c: Construction) -> None:
    """The slave becomes the controlling terminal and the standard streams."""
    slave = c.console
    if slave is None:
        return
    b = c.b
    b.purpose("process.terminal", "unable to make the terminal the process's own")
    b.do("ioctl", slave, linux.TIOCSCTTY, 0)
    for number in range(3):
        b.do("dup3", slave, number, 0)
    b.close(slave)
