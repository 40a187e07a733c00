"""The standard streams, where they are no terminal."""

from __future__ import annotations

from errno import EINVAL, EPERM, EROFS

from orlop.plan import paths
from orlop.plan.facts import FILE, NULL
from orlop.program import linux
from orlop.program.builder import OPEN_HOW_SIZE
from orlop.program.layout import WHEN_ERROR
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction


def reopen_null(c: Construction) -> None:
    """A stream that is the host's /dev/null becomes the container's, to read and write: engines open theirs for one
    of them."""
    numbers = [number for number, kind in enumerate(c.facts.stdio) if kind == NULL]
    if not numbers or c.process.get("terminal"):
        return
    assert c.root is not None
    b = c.b
    b.purpose("process", "unable to open /dev/null in the container")
    none = Label()
    flags = linux.O_RDWR | linux.O_NOFOLLOW | linux.O_NOCTTY | linux.O_CLOEXEC
    how = b.open_how(flags, 0, paths.IN_ROOT)
    null = b.get("openat2", c.root, "dev/null", how, OPEN_HOW_SIZE, on={WHEN_ERROR: none})
    for number in numbers:
        b.do("dup3", null, number, 0)
    b.close(null)
    b.place(none)


def own_streams(c: Construction) -> None:
    """The standard streams belong to the user of the process, so that it can open /dev/stdout.

    Not /dev/null, which others share, and not a regular file, which belongs to whoever redirected to it.
    """
    uid = (c.process.get("user") or {}).get("uid") or 0
    if uid == 0 and "user" not in c.namespaces:
        return
    b = c.b
    b.purpose("process.user", "unable to give the standard streams to the user")
    terminal = c.process.get("terminal")
    for number, kind in enumerate(c.facts.stdio):
        if terminal or kind not in (NULL, FILE):
            b.do("fchown", number, uid, 0xFFFF_FFFF, ignore=(EPERM, EROFS, EINVAL))
