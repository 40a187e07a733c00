"""`restore`: the flags that runc has, and until orlop can do it a clear refusal."""

from __future__ import annotations

from orlop.cli.checkpoint import (
    AUTO_DEDUP,
    EMPTY_NS,
    EXT_UNIX_SK,
    FILE_LOCKS,
    IMAGE_PATH,
    LAZY_PAGES,
    MANAGE_CGROUPS_MODE,
    SHELL_JOB,
    TCP_ESTABLISHED,
    WORK_PATH,
    refuse,
)
from orlop.cli.flags import Command
from orlop.cli.options import BUNDLE, CONSOLE_SOCKET, DETACH, NO_PIVOT, PID_FILE, container_id
from orlop.cli.run import NO_SUBREAPER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

FLAGS: tuple[Flag, ...] = (
    CONSOLE_SOCKET,
    IMAGE_PATH,
    WORK_PATH,
    TCP_ESTABLISHED,
    EXT_UNIX_SK,
    SHELL_JOB,
    FILE_LOCKS,
    MANAGE_CGROUPS_MODE,
    BUNDLE,
    DETACH,
    PID_FILE,
    NO_SUBREAPER,
    NO_PIVOT,
    EMPTY_NS,
    AUTO_DEDUP,
    LAZY_PAGES,
    ("lsm-profile", "", "text", "", "TYPE:NAME of the LSM profile to restore with"),
    ("lsm-mount-context", "", "text", "", "LSM context of the mounts to restore with"),
)


def run(args: Args) -> int:
    container_id(args)
    raise refuse("restore")


COMMAND = Command(
    run,
    FLAGS,
    (1, 1),
    "[command options] <container-id>",
    """\
Makes a container anew from what `{program} checkpoint` saved, with CRIU.
This version cannot do it yet: the options are read, and the command fails.
""",
)
