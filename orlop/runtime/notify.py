"""The readiness of a container, told to the service manager that started us (sd_notify(3)).

    container                       here                                      $NOTIFY_SOCKET of the host
    READY=1 ──▶ /run/notify/notify.sock ──▶ READY=1, MAINPID=…, BARRIER=1 + a pipe ──▶ systemd
                                            waits until systemd has closed the pipe

The container gets a directory, and not the socket: it is bound by whoever starts the container, which may be another
process than the one that created it.
"""

from __future__ import annotations

import select
import time
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET, socket
from _struct import pack

from orlop import system as os
from orlop.errors import OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import Spec

DIRECTORY = "notify"
_INSIDE = "/run/notify"
_NAME = "notify.sock"
_PATIENCE = 30.0  # seconds until the service manager has taken the barrier


def offer(spec: Spec, store: str) -> None:
    """Give a container that is about to be made the directory of the socket, and the variable that names it."""
    directory = f"{store}/{DIRECTORY}"
    try:
        os.mkdir(directory, 0o755)
    except OSError as error:
        raise OrlopError(f"unable to make {directory}: {(error.strerror or '').lower()}") from None
    options = ["bind", "nosuid", "noexec", "nodev", "ro"]
    spec["mounts"] = [
        *(spec.get("mounts") or []),
        {"destination": _INSIDE, "type": "bind", "source": directory, "options": options},
    ]
    process = spec["process"]
    process["env"] = [*(process.get("env") or []), f"NOTIFY_SOCKET={_INSIDE}/{_NAME}"]


def listen(store: str, options: Options) -> Notifications | None:
    """Bind the socket, if the container was made with one.  To be called before the container's process starts."""
    directory = f"{store}/{DIRECTORY}"
    if not os.path.isdir(directory):
        options.log("warning", "NOTIFY_SOCKET has no effect: the container was created without it")
        return None
    return Notifications(directory, options)


class Notifications:
    """The bound socket of one container."""

    __slots__ = ("_host", "_options", "_path", "_socket")

    def __init__(self, directory: str, options: Options) -> None:
        self._options = options
        host = options.notify_socket or ""
        self._host = "\0" + host[1:] if host[:1] == "@" else host
        self._path = f"{directory}/{_NAME}"
        self._socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
        # Through a descriptor, since the path of a socket has no more than 107 bytes.
        place = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if os.path.exists(self._path):
                os.unlink(self._path)  # of a start that failed
            self._socket.bind(f"/proc/self/fd/{place}/{_NAME}")
            os.chmod(self._path, 0o777)  # the container's process may be any user
        except OSError as error:
            self._socket.close()
            raise OrlopError(f"unable to bind {self._path}: {(error.strerror or '').lower()}") from None
        finally:
            os.close(place)

    def close(self) -> None:
        """Let go of the socket; the file goes with the container's state."""
        self._socket.close()

    def forward(self, pid: int, main_pid: int) -> Steps[None]:
        """Wait until the container is ready or its process `pid` has ended, and tell that `main_pid` is ready."""
        try:
            ended = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        poll = select.epoll()
        try:
            poll.register(self._socket.fileno(), select.EPOLLIN)
            poll.register(ended, select.EPOLLIN)
            while True:
                yield (poll.fileno(), None)
                ready = dict(poll.poll(0))
                if self._socket.fileno() in ready:
                    line = self._socket.recv(4096).partition(b"\n")[0]
                    if line.startswith(b"READY="):
                        break
                elif ended in ready:
                    return
        finally:
            poll.close()
            os.close(ended)
        yield from self._tell(line, main_pid)

    def forward_in_thread(self, pid: int) -> None:
        """The same beside a wait in the foreground, where we are the main process of the service.

        The thread ends with the process; every signal is the other thread's.
        """
        from _thread import start_new_thread

        from orlop.runtime.waiting import drive

        def forward() -> None:
            try:
                drive(self.forward(pid, os.getpid()))
            except OSError as error:
                self._options.log("warning", f"readiness was not told: {error}")

        start_new_thread(forward, ())

    def _tell(self, line: bytes, main_pid: int) -> Steps[None]:
        link = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
        theirs = ours = -1
        try:
            link.connect(self._host)
            link.send(line + b"\n")
            link.send(b"MAINPID=%d\n" % main_pid)
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            link.sendmsg([b"BARRIER=1"], [(SOL_SOCKET, SCM_RIGHTS, pack("<i", theirs))])
            os.close(theirs)
            theirs = -1
            if not (yield (ours, time.monotonic() + _PATIENCE)):
                self._options.log("warning", f"the service manager has not answered within {_PATIENCE:.0f} s")
        except OSError as error:
            reason = (error.strerror or "").lower()
            self._options.log("warning", f"unable to notify {self._options.notify_socket}: {reason}")
        finally:
            link.close()
            for fd in (ours, theirs):
                if fd >= 0:
                    os.close(fd)
