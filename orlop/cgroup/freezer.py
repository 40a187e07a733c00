"""Stop and continue all processes of a cgroup."""

from __future__ import annotations

import errno
import select
import time

from orlop import system as os
from orlop.cgroup import files
from orlop.errors import CgroupError

# Version 1 cannot freeze reliably while processes keep appearing: it stays in FREEZING until told again.
_TRIES = 1000
_THAW_EVERY = 50
_PAUSE = 0.01  # seconds
_SHORT_PAUSE = 0.001
_DEADLINE = 10.0  # seconds, for version 2


class FreezerV1:
    """A cgroup of the freezer hierarchy."""

    __slots__ = ("path", "state")

    def __init__(self, path: str) -> None:
        self.path = path
        self.state = path + "/freezer.state"

    def freeze(self) -> None:
        """Stop all processes.  Blocks for some seconds at most; thaws them when that fails."""
        try:
            for attempt in range(1, _TRIES + 1):
                if attempt % _THAW_EVERY == 0:
                    files.write(self.state, "THAWED")
                    time.sleep(_PAUSE)
                files.write(self.state, "FROZEN")
                if files.read(self.state).strip() == "FROZEN":
                    return
                if attempt % (_THAW_EVERY // 2) == 0:
                    time.sleep(_SHORT_PAUSE)
            raise CgroupError(errno.ETIMEDOUT, f"unable to freeze {self.path}", path=self.path)
        except BaseException:
            _thaw_quietly(self.state, "THAWED")
            raise

    def thaw(self) -> None:
        """Let them go on."""
        files.write(self.state, "THAWED")

    def release(self) -> None:
        """Let those die that were killed: frozen ones do not.  A container with a cgroup of its own may have frozen
        them further down."""
        try:
            self.thaw()
            for above, name, emptied in files.each_below(self.path):
                if not emptied:
                    _thaw_below(name, above)
        except CgroupError as error:
            if error.errno not in files.GONE:
                raise
        except OSError as error:
            if error.errno not in files.GONE:
                raise _unreadable(error, self.path) from None

    def frozen(self) -> bool:
        """Tell whether it is frozen itself.  Blocks while it is about to be, some seconds at most."""
        try:
            for _ in range(_TRIES):
                if (state := files.read(self.state).strip()) != "FREEZING":
                    return state == "FROZEN" and files.read(self.path + "/freezer.self_freezing").strip() == "1"
                time.sleep(_SHORT_PAUSE)
        except OSError as error:
            if error.errno in files.GONE:
                return False
            raise _unreadable(error, self.state) from None
        return True


class FreezerV2:
    """A cgroup of version 2, as a freezer."""

    __slots__ = ("path", "state")

    def __init__(self, path: str) -> None:
        self.path = path
        self.state = path + "/cgroup.freeze"

    def freeze(self) -> None:
        """Stop all processes and wait until they are, 10 seconds at most; thaws them when that fails."""
        try:
            files.write(self.state, "1")
            _wait_frozen(self.path)
        except BaseException:
            _thaw_quietly(self.state, "0")
            raise

    def thaw(self) -> None:
        """Let them go on.  One that is gone needs it no more."""
        try:
            files.write(self.state, "0")
        except CgroupError as error:
            if error.errno not in files.GONE:
                raise

    def release(self) -> None:
        """Nothing: SIGKILL ends a process that is frozen, too."""

    def frozen(self) -> bool:
        """Tell whether it is frozen itself; waits for one that is about to be, 10 seconds at most."""
        try:
            if files.read(self.state).strip() != "1":
                return False
            _wait_frozen(self.path)
        except CgroupError as error:
            if error.errno in files.GONE:
                return False
            raise
        except OSError as error:
            if error.errno in files.GONE:
                return False
            raise _unreadable(error, self.state) from None
        return True


def _thaw_below(name: str, above: int) -> None:
    try:
        state = os.open(f"{name}/freezer.state", os.O_WRONLY | os.O_CLOEXEC, dir_fd=above)
        try:
            os.write(state, b"THAWED")
        finally:
            os.close(state)
    except OSError as error:
        if error.errno not in files.GONE:
            raise


def _wait_frozen(path: str) -> None:
    """Wait for `frozen 1` in cgroup.events, a change of which poll reports as POLLPRI."""
    events = path + "/cgroup.events"
    deadline = time.monotonic() + _DEADLINE
    try:
        descriptor = os.open(events, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(error, events) from None
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLPRI)
        while b"frozen 1" not in _events(descriptor, events):
            left = deadline - time.monotonic()
            if left <= 0:
                raise CgroupError(errno.ETIMEDOUT, f"timeout reached waiting for {path} to freeze", path=path)
            poll.poll(left * 1000)
    finally:
        os.close(descriptor)


def _events(descriptor: int, path: str) -> bytes:
    try:
        return os.pread(descriptor, 4096, 0)
    except OSError as error:  # ENODEV: it was removed meanwhile
        raise _unreadable(error, path) from None


def _thaw_quietly(path: str, value: str) -> None:
    try:
        files.write(path, value)
    except CgroupError:
        pass


def _unreadable(error: OSError, path: str) -> CgroupError:
    code = error.errno or errno.EIO
    message = f"unable to get cgroup freezer state: cannot read {path}: {files.reason(code)}"
    return CgroupError(code, message, call="read", path=path)
