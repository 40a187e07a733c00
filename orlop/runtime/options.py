"""What a caller may ask of a command, beside the container's id."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # How the interpreter was called: the working directory, and all arguments (runtime/kept.py).
    Called = tuple[str, list[str]]


def _silent(level: str, message: str) -> None:
    """Where nobody wants to hear: the library."""


class Options:
    """The options of a command; each has the meaning of the flag of that name (docs, or `orlop COMMAND --help`).

    `config` is another file than config.json in the bundle. `log` is called with a level (`debug`, `info`, `warning`,
    `error`) and a message. `no_subreaper` is the default here: a program that uses the library
    has children of its own. `preserve_fds` counts descriptors from 3 on that the container gets; `listen_fds` those of
    socket activation, which come before them, and `listen_names` their names. `notify_socket` is the service
    manager's, which is told when the container is ready. `user_bus` holds $DBUS_SESSION_BUS_ADDRESS and
    $XDG_RUNTIME_DIR, by which a user's own systemd is found.
    """

    __slots__ = (
        "account",
        "bundle",
        "config",
        "console_socket",
        "detach",
        "ignore_paused",
        "keep",
        "listen_fds",
        "listen_names",
        "log",
        "monitor",
        "no_new_keyring",
        "no_pivot",
        "no_subreaper",
        "notify_socket",
        "pid_file",
        "pidfd_socket",
        "preserve_fds",
        "root",
        "rootless",
        "systemd_cgroup",
        "times",
        "user_bus",
    )

    def __init__(
        self,
        *,
        root: str = "/run/orlop",
        systemd_cgroup: bool = False,
        rootless: bool | None = None,
        bundle: str | None = None,
        console_socket: str | None = None,
        pidfd_socket: str | None = None,
        pid_file: str | None = None,
        no_pivot: bool = False,
        no_new_keyring: bool = False,
        no_subreaper: bool = True,
        preserve_fds: int = 0,
        detach: bool = False,
        keep: bool = False,
        monitor: bool = False,
        account: str | None = None,
        times: str | None = None,
        ignore_paused: bool = False,
        log: Callable[[str, str], None] = _silent,
        listen_fds: int = 0,
        listen_names: str = "",
        notify_socket: str | None = None,
        config: str | None = None,
        user_bus: tuple[str | None, str | None] = (None, None),
    ) -> None:
        self.root = root
        self.systemd_cgroup = systemd_cgroup
        self.rootless = rootless
        self.bundle = bundle
        self.config = config
        self.console_socket = console_socket
        self.pidfd_socket = pidfd_socket
        self.pid_file = pid_file
        self.no_pivot = no_pivot
        self.no_new_keyring = no_new_keyring
        self.no_subreaper = no_subreaper
        self.preserve_fds = preserve_fds
        self.detach = detach
        self.keep = keep
        self.monitor = monitor
        self.account = account
        self.times = times
        self.ignore_paused = ignore_paused
        self.log = log
        self.listen_fds = listen_fds
        self.listen_names = listen_names
        self.notify_socket = notify_socket
        self.user_bus = user_bus

    @property
    def control(self) -> int:
        """The descriptor of a container's program on which it speaks to us: the first behind those it is to have."""
        return 3 + self.preserve_fds + self.listen_fds
