"""Gives the listener of a seccomp filter to the agent (runtime-spec 1.3, config-linux.md#containerprocessstate).

One message on a stream socket: the state as JSON, with the descriptor; then the connection is closed.
"""

from __future__ import annotations

from _socket import AF_UNIX, SCM_RIGHTS, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket
from _struct import pack

from orlop import system as os
from orlop.errors import OrlopError
from orlop.executor.link import Executor
from orlop.plan import events
from orlop.plan.listener import take_program
from orlop.runtime.waiting import end
from orlop.spec.json import dump
from orlop.version import SPEC_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import Linux

_HINT = "the agent must listen on the socket that linux.seccomp.listenerPath names, and take what it is sent"
# The name of the descriptor in the message, as the specification demands.
_FD_NAME = "seccompFd"


def send_listener(linux: Linux, pid: int, number: int, state: dict[str, object]) -> Steps[None]:
    """Send descriptor `number` of a process to the agent of linux.seccomp.  Blocks while the agent does not read.

    `state` is the container's.  Raises OrlopError when nobody takes it.
    """
    profile = linux["seccomp"]
    path = profile.get("listenerPath") or ""
    document: dict[str, object] = {"ociVersion": SPEC_VERSION, "fds": [_FD_NAME], "pid": pid}
    if profile.get("listenerMetadata"):
        document["metadata"] = profile["listenerMetadata"]
    document["state"] = state
    listener = yield from _take(pid, number)
    link = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    try:
        _connect(link, path)
        data = dump(document).encode()
        try:
            sent = link.sendmsg([data], [(SOL_SOCKET, SCM_RIGHTS, pack("<i", listener))])
            while sent < len(data):
                sent += link.send(data[sent:])
        except OSError as error:
            raise _failed(f"failed to send the seccomp listener to {path}", error) from None
    finally:
        link.close()
        os.close(listener)


def _connect(link: socket, path: str) -> None:
    try:
        link.connect(f"\0{path[1:]}" if path.startswith("@") else path)
    except OSError as error:
        what = f"failed to connect with seccomp agent specified in the seccomp profile: {path}"
        raise _failed(what, error) from None


def _failed(what: str, error: OSError) -> OrlopError:
    return OrlopError(f"{what}: {(error.strerror or str(error)).lower()}", hint=_HINT)


def _take(pid: int, number: int) -> Steps[int]:
    """A copy of the descriptor of another process (pidfd_getfd(2))."""
    program = take_program(os.uname().machine, number)
    pidfd = os.pidfd_open(pid)
    try:
        helper = Executor(program, inherit=((pidfd, program.control + 1),))
    finally:
        os.close(pidfd)
    try:
        yield (helper.socket.fileno(), None)
        event = helper.receive()
        if event is not None and event.kind == events.LISTENER:
            return event.fds[0]
        if event is not None:
            from orlop.runtime.failure import failure

            raise failure(program, event)
        raise OrlopError("the helper process that takes the seccomp listener was killed")
    finally:
        helper.close()
        end(helper.pid)
