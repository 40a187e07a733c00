"""The flags that several commands share, and the `Options` that the runtime gets from them."""

from __future__ import annotations

import sys

from orlop import system as os
from orlop.errors import ConfigError, OrlopError
from orlop.host.user_namespace import in_user_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.cli.flags import Args, Flag
    from orlop.runtime.options import Called, Options

BUNDLE: Flag = ("bundle", "b", "text", "", "directory of the bundle (default is the current directory)")
CONSOLE_SOCKET: Flag = ("console-socket", "", "text", "", "unix socket that is sent the master end of the terminal")
PIDFD_SOCKET: Flag = ("pidfd-socket", "", "text", "", "unix socket that is sent a pidfd of the process")
DETACH: Flag = ("detach", "d", "bool", False, "return as soon as the process is started")
PID_FILE: Flag = ("pid-file", "", "text", "", "write the process id to this file")
NO_PIVOT: Flag = ("no-pivot", "", "bool", False, "enter the root file system without pivot_root, for one on a ramdisk")
NO_NEW_KEYRING: Flag = ("no-new-keyring", "", "bool", False, "keep the session keyring of the caller")
MONITOR: Flag = (
    "monitor", "", "bool", False, "leave a small process that reaps the container and records how it ends",
)  # fmt: skip
TIMES: Flag = (
    "times", "", "text", "", "write how long each operation took to this file: text, or JSON if its name ends in .json",
)  # fmt: skip
PRESERVE_FDS: Flag = (
    "preserve-fds", "", "int", 0, "pass on N more descriptors after standard error and those of $LISTEN_FDS",
)  # fmt: skip

OLDEST_KERNEL = (5, 14)


def call(args: Args) -> Called | None:
    """How the launcher has called the interpreter, for who may do the same again without it: the working directory, and
    the arguments.  None where it has not, or all that is done is to be logged.  To be asked before `options`, which may
    enter the bundle."""
    if "fresh" not in sys._xoptions or args.context.debug:
        return None
    return os.getcwd(), sys.orig_argv


def container_id(args: Args) -> str:
    """Return the first positional.  Raises ConfigError where it is empty."""
    if not args.rest[0]:
        raise ConfigError("container id cannot be empty")
    return args.rest[0]


def options(args: Args, *, log: Callable[[str, str], None] | None = None) -> Options:
    """Make the runtime's options of the flags, as far as the command has them.  Changes into the bundle, as runc does.

    `log` is the place for what the runtime has to tell, by default the log.
    Raises OrlopError where this host is too old, ConfigError, KernelError.
    """
    from orlop.runtime.options import Options

    check_host()
    context = args.context
    if context.root_is_users:
        _make_user_root(context.root)
    pid_file = args.text("pid-file")
    if pid_file:
        pid_file = os.path.abspath(pid_file)  # as seen from here, not from the bundle
    times = args.text("times")
    if times:
        times = os.path.abspath(times)
    account = args.text("account")
    if account and account != "-":
        account = os.path.abspath(account)
    bundle = args.text("bundle")
    if bundle:
        _enter(bundle)
    if args.number("preserve-fds") < 0:
        raise ConfigError(f"--preserve-fds must not be negative: {args.number('preserve-fds')}")
    return Options(
        root=context.root,
        systemd_cgroup=context.systemd_cgroup,
        rootless=_rootless(context.rootless),
        bundle=os.getcwd() if "bundle" in args.values else None,
        console_socket=args.text("console-socket") or None,
        pidfd_socket=args.text("pidfd-socket") or None,
        pid_file=pid_file or None,
        no_pivot=args.flag("no-pivot"),
        no_new_keyring=args.flag("no-new-keyring"),
        no_subreaper=args.flag("no-subreaper"),
        preserve_fds=args.number("preserve-fds"),
        detach=args.flag("detach"),
        keep=args.flag("keep"),
        monitor=args.flag("monitor"),
        account=account or None,
        times=times or None,
        ignore_paused=args.flag("ignore-paused"),
        log=log or context.log,
        listen_fds=_listen_fds() if "bundle" in args.values else 0,
        listen_names=os.environment.get("LISTEN_FDNAMES", ""),
        notify_socket=os.environment.get("NOTIFY_SOCKET") or None,
        user_bus=user_bus(),
    )


def check_host() -> None:
    """Raise OrlopError unless this is a Linux that is new enough; every later error would only puzzle."""
    if sys.platform != "linux":
        raise OrlopError(f"containers need Linux, this is {sys.platform}")
    release = os.uname().release
    major, _, rest = release.partition(".")
    minor = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    if major.isdigit() and minor.isdigit() and (int(major), int(minor)) < OLDEST_KERNEL:
        oldest = f"{OLDEST_KERNEL[0]}.{OLDEST_KERNEL[1]}"
        raise OrlopError(f"the kernel is too old: Linux {oldest} is needed, this is {release}")


def _rootless(said: bool | None) -> bool:
    """Settle `auto`: everybody but the real root does without access to cgroups."""
    if said is not None:
        return said
    return os.geteuid() != 0 or in_user_namespace()


def user_bus() -> tuple[str | None, str | None]:
    """Return where the user's own systemd may be found: for who is not root, and uses --systemd-cgroup."""
    return os.environment.get("DBUS_SESSION_BUS_ADDRESS") or None, os.environment.get("XDG_RUNTIME_DIR") or None


def _listen_fds() -> int:
    """Return how many sockets systemd passed to us, and not to one of our ancestors (sd_listen_fds(3))."""
    count = os.environment.get("LISTEN_FDS", "")
    if os.environment.get("LISTEN_PID") != str(os.getpid()):
        return 0
    return int(count) if count.isascii() and count.isdigit() else 0


def _enter(bundle: str) -> None:
    try:
        os.chdir(bundle)
    except OSError as error:
        from orlop.cli.refusal import refused

        raise refused(error, "--bundle", "chdir", bundle) from None


def _make_user_root(root: str) -> None:
    """Make the root below $XDG_RUNTIME_DIR; the sticky bit keeps it from being cleaned up (XDG base directories)."""
    try:
        os.makedirs(root, 0o700, exist_ok=True)
        os.chmod(root, 0o1700)
    except OSError as error:
        from orlop.cli.refusal import refused

        hint = "the directory in $XDG_RUNTIME_DIR must be writable; or give another place with --root"
        raise refused(error, "state root", "mkdir", root, hint=hint) from None
