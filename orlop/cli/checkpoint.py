"""`checkpoint`: the flags that runc has, and until orlop can do it a clear refusal."""

from __future__ import annotations

from orlop import system as os
from orlop.cli.flags import Command
from orlop.cli.options import container_id
from orlop.errors import ConfigError, OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

IMAGE_PATH: Flag = ("image-path", "", "text", "", "directory of the images (default is ./checkpoint)")
WORK_PATH: Flag = ("work-path", "", "text", "", "directory for CRIU's logs")
TCP_ESTABLISHED: Flag = ("tcp-established", "", "bool", False, "allow open TCP connections")
EXT_UNIX_SK: Flag = ("ext-unix-sk", "", "bool", False, "allow unix sockets whose other end is outside")
SHELL_JOB: Flag = ("shell-job", "", "bool", False, "allow a session whose leader is outside")
FILE_LOCKS: Flag = ("file-locks", "", "bool", False, "handle locks of files")
MANAGE_CGROUPS_MODE: Flag = ("manage-cgroups-mode", "", "text", "", "'soft', 'full', 'strict' or 'ignore'")
EMPTY_NS: Flag = ("empty-ns", "", "texts", None, "make this namespace, and nothing in it: 'network'")
AUTO_DEDUP: Flag = ("auto-dedup", "", "bool", False, "drop pages from older images once they are in newer ones")
LAZY_PAGES: Flag = ("lazy-pages", "", "bool", False, "move memory when it is used (userfaultfd)")

FLAGS: tuple[Flag, ...] = (
    IMAGE_PATH,
    WORK_PATH,
    ("parent-path", "", "text", "", "directory of an earlier pre-dump, relative to the images"),
    ("leave-running", "", "bool", False, "let the container go on afterwards"),
    TCP_ESTABLISHED,
    ("tcp-skip-in-flight", "", "bool", False, "leave out TCP connections that are being made"),
    ("link-remap", "", "bool", False, "allow files that are open and deleted"),
    EXT_UNIX_SK,
    SHELL_JOB,
    LAZY_PAGES,
    ("status-fd", "", "int", -1, "descriptor that gets a zero byte when the page server is ready"),
    ("page-server", "", "text", "", "ADDRESS:PORT of the page server to send memory to"),
    FILE_LOCKS,
    ("pre-dump", "", "bool", False, "only save the memory, and let the container go on"),
    MANAGE_CGROUPS_MODE,
    EMPTY_NS,
    AUTO_DEDUP,
)


def refuse(what: str) -> OrlopError:
    """Make the error of both commands."""
    hint = (
        "a later version will use CRIU for it; until then stop the container and start it anew, "
        "or use runc for containers that must be checkpointed"
    )
    return OrlopError(f"{what} is not available in this version", hint=hint)


def check_parent(parent: str, images: str) -> None:
    if parent[:1] == "/":
        raise ConfigError("--parent-path must be relative", hint="it is a path from the directory of --image-path")
    if parent and not os.path.isdir(os.path.join(images, parent)):
        raise ConfigError(f"invalid --parent-path: {parent} is no directory below {images}")


def run(args: Args) -> int:
    from orlop.runtime.container import Found
    from orlop.runtime.options import Options

    Found(container_id(args), Options(root=args.context.root))  # an unknown container is the better error
    check_parent(args.text("parent-path"), args.text("image-path") or "checkpoint")
    raise refuse("checkpoint")


COMMAND = Command(
    run,
    FLAGS,
    (1, 1),
    "[command options] <container-id>",
    """\
Saves the state of a running container to disk, with CRIU.
This version cannot do it yet: the options are read, and the command fails.
""",
)
