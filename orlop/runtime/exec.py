"""exec: a further process in a container."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import KernelError, OrlopError, StateError
from orlop.host.probe import read_text
from orlop.host.process import handle
from orlop.plan.facts import PIDFD_AFTER_CONTROL
from orlop.runtime.container import PAUSED, STOPPED, Found
from orlop.runtime.exec_planning import ExecPlanning
from orlop.runtime.foreground import Foreground
from orlop.runtime.handover import check_console, check_preserved, hand_over, write_pid_file
from orlop.runtime.launch import Launch
from orlop.runtime.recall import plain
from orlop.runtime.waiting import Deferral, drive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.runtime.console import ConsoleSocket
    from orlop.runtime.options import Options
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import Process


class ExecRequest:
    """What `exec` runs: a process object from a file, or changes to the one of the container's config.

    None means that the config's value stays.
    """

    __slots__ = (
        "_file",
        "additional_gids",
        "apparmor",
        "args",
        "caps",
        "cgroup",
        "console",
        "cwd",
        "env",
        "no_new_privs",
        "process_file",
        "process_label",
        "tty",
        "user",
    )

    def __init__(
        self,
        *,
        args: list[str] | None = None,
        process_file: str | None = None,
        cwd: str | None = None,
        env: list[str] | None = None,
        tty: bool = False,
        user: tuple[int, int | None] | None = None,
        additional_gids: list[int] | None = None,
        process_label: str | None = None,
        apparmor: str | None = None,
        no_new_privs: bool | None = None,
        caps: list[str] | None = None,
        cgroup: dict[str, str] | None = None,
    ) -> None:
        self.args = args
        self.process_file = process_file
        # exec may need another try, with what the file held, which may be a pipe, and over the same connection: whoever
        # listens on a console socket takes the first.
        self._file: bytes | None = None
        self.console: ConsoleSocket | None = None
        self.cwd = cwd
        self.env = env
        self.tty = tty
        self.user = user
        self.additional_gids = additional_gids
        self.process_label = process_label
        self.apparmor = apparmor
        self.no_new_privs = no_new_privs
        self.caps = caps
        self.cgroup = cgroup

    def asked(self) -> object:
        """All that it says, but for the content of the file, to be compared and kept."""
        cgroup = tuple(sorted((self.cgroup or {}).items()))
        said = (self.args, self.cwd, self.env, self.tty, self.user, self.additional_gids, self.process_label)
        return plain((*said, self.apparmor, self.no_new_privs, self.caps, self.process_file is not None, cgroup))

    def file(self) -> bytes:
        """What `process_file` holds: it may be a pipe, and is read once.  Raises OrlopError."""
        if self._file is None and self.process_file is not None:
            try:
                self._file = read_text(self.process_file).encode("utf-8", "surrogateescape")
            except OSError as error:
                message = f"unable to read {self.process_file}: {(error.strerror or '').lower()}"
                raise OrlopError(message) from None
        return self._file or b""


def exec_process(container_id: str, request: ExecRequest, options: Options) -> int:
    """Run a process in a container; its exit status, 128 plus a signal, or 0 when detached.  Raises OrlopError."""
    return _somewhere(_exec, container_id, request, options)


def spawn_in(container_id: str, request: ExecRequest, options: Options) -> int:
    """Start a process in a container: its pid.  It is a child of this one, which must reap it.  Raises OrlopError."""
    return _somewhere(_spawn, container_id, request, options)


def _somewhere(
    start: Callable[[Found, ExecRequest, Options, str | None], int],
    container_id: str,
    request: ExecRequest,
    options: Options,
) -> int:
    """Start it in the container's cgroup; where that takes no process, somewhere else or in another way."""
    found = Found(container_id, options)
    directory = None
    try:
        while True:
            try:
                return start(found, request, options, directory)
            except KernelError as error:
                from orlop.runtime.elsewhere import another_cgroup

                another = another_cgroup(found, request.cgroup, error)
                if another in (None, directory):
                    raise
                directory = another
                options.log("debug", f"joining the cgroup {directory} by its files: {error}")
    finally:
        if request.console is not None:
            request.console.close()


def _exec(found: Found, request: ExecRequest, options: Options, directory: str | None) -> int:
    launch, planning, pidfd = _launch(found, request, options, directory)
    try:
        if options.detach:
            with Deferral() as deferral:
                drive(_start(launch, request, options, pidfd, deferral=deferral), deferral.readable).release()
            planning.remember()
            return 0
        foreground = Foreground(terminal=bool(launch.process.get("terminal")))
        try:
            drive(_start(launch, request, options, pidfd, foreground), foreground.readable)
            planning.remember()
            return foreground.wait(launch.pid)
        finally:
            launch.close_terminal()
            foreground.close()
    finally:
        os.close(pidfd)


def _spawn(found: Found, request: ExecRequest, options: Options, directory: str | None) -> int:
    launch, planning, pidfd = _launch(found, request, options, directory)
    try:
        with Deferral() as deferral:
            drive(_start(launch, request, options, pidfd, deferral=deferral), deferral.readable)
        planning.remember()
        return launch.pid
    finally:
        os.close(pidfd)


def _launch(
    found: Found, request: ExecRequest, options: Options, directory: str | None
) -> tuple[Launch, ExecPlanning, int]:
    """What there is to run, how it was planned, and a pidfd of the container's init.

    `directory` is a cgroup to join by its files.
    """
    check_preserved(options)
    status = found.status()
    if status == STOPPED:
        raise StateError("cannot exec in a stopped container")
    if status == PAUSED and not options.ignore_paused:
        raise StateError("cannot exec in a paused container (use --ignore-paused to override)")
    planning = ExecPlanning(found, request, options, directory)
    process = planning.process
    check_console(options, terminal=bool(process.get("terminal")), detached=options.detach)
    _tell(process, options)

    def attach(pid: int) -> None:
        found.cgroup.attach(pid, request.cgroup)

    program = planning.program()
    if directory is None:  # the first try
        for doubt in planning.doubts:
            options.log("warning", doubt)
    pidfd = handle(found.record.init_process_pid, found.record.init_process_start)
    if pidfd is None:
        raise StateError("cannot exec in a stopped container")
    state: dict[str, object] = {"status": "running"}
    profile = (planning.spec.get("linux") or {}).get("seccomp")
    if profile and profile.get("listenerPath"):
        from orlop.runtime.document import state_document

        state = state_document(found.record, "running", found.record.init_process_pid)
    place = attach if planning.waits else None
    groups = tuple(path for path in (found.record.intel_rdt_path, found.record.intel_rdt_mon_path) if path)
    launch = Launch(program, planning.spec, process, state, found.cgroup, place=place, groups=groups)
    return launch, planning, pidfd


def _start(
    launch: Launch,
    request: ExecRequest,
    options: Options,
    pidfd: int,
    foreground: Foreground | None = None,
    deferral: Deferral | None = None,
) -> Steps[Launch]:
    if options.console_socket and request.console is None:
        from orlop.runtime.console import ConsoleSocket

        request.console = ConsoleSocket(options.console_socket)
    try:
        yield from launch.prepare(((pidfd, launch.program.control + PIDFD_AFTER_CONTROL),))
        options.log("debug", f"child process in init(), pid {launch.pid}")
        if launch.groups:
            from orlop.host.resctrl import place, write

            for path in launch.groups:
                write(place(), f"{path}/tasks", str(launch.pid))
        hand_over(launch, options, b"setns", console=request.console, foreground=foreground)
        if options.pid_file:
            write_pid_file(options.pid_file, launch.pid)
        options.log("debug", "setns_init: about to exec")
        yield from launch.go()
        if deferral is not None:
            deferral.check()
    except BaseException:
        launch.abandon()
        raise
    return launch


def _tell(process: Process, options: Options) -> None:
    """The beginning in the debug log, in runc's words, which its tests read."""
    options.log("debug", "nsexec container setup")
    if initial := (process.get("execCPUAffinity") or {}).get("initial"):
        from orlop.spec.tuning import number_list

        mask = sum(1 << number for number in set(number_list(initial)))
        options.log("debug", f"nsexec: affinity: {mask:#x}")
