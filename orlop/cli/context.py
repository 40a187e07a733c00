"""What the global flags and the environment say about the whole call."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import ConfigError
from orlop.host.user_namespace import in_user_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

FLAGS: tuple[Flag, ...] = (
    ("debug", "", "bool", False, "log what is done, and show the traceback of an internal error"),
    ("log", "", "text", "", "append log lines to this file (default is standard error)"),
    ("log-format", "", "text", "text", "format of log lines: 'text' or 'json'"),
    ("root", "", "text", "/run/orlop", "directory for the state of containers, best on a tmpfs"),
    ("systemd-cgroup", "", "bool", False, 'let systemd make the cgroups; cgroupsPath is then "slice:prefix:name"'),
    ("rootless", "", "text", "auto", "go on without access to cgroups: 'true', 'false' or 'auto'"),
    ("version", "v", "bool", False, "print the version"),
)

_ROOTLESS = {
    "": None, "auto": None, "1": True, "t": True, "true": True, "0": False, "f": False, "false": False,
}  # fmt: skip


class Context:
    """One call of the program.

    `called` is what we were called by, and `program` its name; `log_fd` is where log lines go; `rootless` is None for
    `auto`; `root_is_users` says that the root is the one below $XDG_RUNTIME_DIR.
    """

    __slots__ = (
        "called", "debug", "log_fd", "log_json", "program", "root", "root_given", "root_is_users", "rootless",
        "systemd_cgroup",
    )  # fmt: skip

    def __init__(self, program: str, called: str = "") -> None:
        self.program = program
        self.called = called if os.path.basename(called) == program else program
        self.debug = False
        self.log_fd = 2
        self.log_json = False
        self.root = ""
        self.root_given = False
        self.root_is_users = False
        self.rootless: bool | None = None
        self.systemd_cgroup = False

    def configure(self, args: Args) -> None:
        """Take over the global flags: open the log, settle the state root.  Raises ConfigError, KernelError."""
        self.debug = args.flag("debug")
        form = args.text("log-format")
        if form not in ("", "text", "json"):
            raise ConfigError(f"invalid log-format: {form}", hint="the formats are text and json")
        self.log_json = form == "json"
        path = args.text("log")
        if path:
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_SYNC | os.O_CLOEXEC
                self.log_fd = os.open(path, flags, 0o644)
            except OSError as error:
                from orlop.cli.refusal import refused

                raise refused(error, "--log", "open", path) from None
        self.systemd_cgroup = args.flag("systemd-cgroup")
        rootless = args.text("rootless")
        if rootless.lower() not in _ROOTLESS:
            raise ConfigError(f"invalid value for --rootless: {rootless}", hint="it is true, false or auto")
        self.rootless = _ROOTLESS[rootless.lower()]
        if "root" in args.given:
            self._take_root(args.text("root"))
        else:
            mine = user_root()
            self.root, self.root_is_users = mine or args.text("root"), bool(mine)

    def log(self, level: str, message: str, **extra: str) -> None:
        """Write a log line; `level` is debug, info, warning or error, `extra` goes into JSON lines only."""
        if level != "debug" or self.debug:
            from orlop.cli.log import write_line

            write_line(self, level, message, extra)

    def _take_root(self, root: str) -> None:
        self.root = os.path.abspath(root) if root else "/"
        self.root_given = True
        if self.root.strip("/") == "":
            raise ConfigError("Option --root argument should not be set to /")


def user_root() -> str:
    """Return the state root of a user who is not the host's root, or an empty text for the common one.

    runc's rule: $XDG_RUNTIME_DIR counts unless we are the real root, or root of a user namespace whose $USER is root.
    """
    directory = os.environment.get("XDG_RUNTIME_DIR", "")
    if not directory:
        return ""
    if os.geteuid() == 0 and (not in_user_namespace() or os.environment.get("USER") == "root"):
        return ""
    return directory + "/orlop"
