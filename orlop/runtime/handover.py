"""What a caller hands over to a new process, and where it is told its pid."""

from __future__ import annotations

import fcntl

from orlop import system as os
from orlop.errors import ConfigError, OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.console import ConsoleSocket
    from orlop.runtime.foreground import Foreground
    from orlop.runtime.launch import Launch
    from orlop.runtime.options import Options


def check_preserved(options: Options) -> None:
    """Refuse to pass on a descriptor that the caller did not give us: what we have opened ourselves closes on exec."""
    first = 3 + options.listen_fds
    for index in range(options.preserve_fds):
        try:
            given = not fcntl.fcntl(first + index, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        except OSError:
            given = False
        if not given:
            message = f"unable to stat preserved-fd {index} (of {options.preserve_fds}): bad file descriptor"
            raise ConfigError(message, hint=f"descriptor {first + index} must be open, and not close on exec")


def check_console(options: Options, *, terminal: bool, detached: bool) -> None:
    """Refuse a terminal that nobody would hold, and a console socket that nobody would use."""
    if terminal and detached and not options.console_socket:
        message = "cannot allocate tty if runc will detach without setting console socket"
        raise ConfigError(message, hint="give --console-socket, or do without a terminal")
    if options.console_socket and not (terminal and detached):
        message = "cannot use console socket if runc will not detach or allocate tty"
        raise ConfigError(message, hint="leave out --console-socket, or ask for a terminal, and detach")


def hand_over(
    launch: Launch,
    options: Options,
    text: bytes,
    *,
    console: ConsoleSocket | None,
    foreground: Foreground | None = None,
) -> None:
    """Pass on what a new process has for its caller: the master of its terminal, to the caller's own or to a socket,
    and a pidfd, of which the words say what kind of process it is.  Raises OrlopError."""
    if launch.master >= 0 and foreground is not None:
        foreground.take(launch.master)
    elif console is not None:
        console.give(launch.master)
        launch.close_terminal()
    if options.pidfd_socket:
        from orlop.runtime.sending import send_pidfd

        send_pidfd(options.pidfd_socket, launch.pid, text)


def listen_environment(options: Options) -> tuple[str, ...]:
    """Socket activation (sd_listen_fds(3)), as the first process of the container sees it."""
    if not options.listen_fds:
        return ()
    names = (f"LISTEN_FDNAMES={options.listen_names}",) if options.listen_names else ()
    return (f"LISTEN_FDS={options.listen_fds}", "LISTEN_PID=1", *names)


def write_pid_file(path: str, pid: int) -> None:
    """Write the pid, without a newline, aside and by rename."""
    directory, name = os.path.split(os.path.abspath(path))
    aside = f"{directory}/.{name}"
    try:
        fd = made_anew(aside)
        try:
            os.write(fd, b"%d" % pid)
        finally:
            os.close(fd)
        os.rename(aside, f"{directory}/{name}")
    except OSError as error:
        raise OrlopError(f"unable to write the pid file {path}: {(error.strerror or '').lower()}") from None


def made_anew(path: str, mode: int = 0o666) -> int:
    """A file that was not there before: one that a killed command has left, or somebody else, is removed, and a link is
    not followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, mode)
    except FileExistsError:
        os.unlink(path)
        return os.open(path, flags, mode)
