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


def freeze_v1(path: str) -> None:
    """Freeze a cgroup of the freezer hierarchy.  Blocks for some seconds at most; thaws it when that fails."""
    state = path + "/freezer.state"
    try:
        for attempt in range(1, _TRIES + 1):
            if attempt % _THAW_EVERY == 0:
                files.write(state, "THAWED")
                time.sleep(_PAUSE)
            files.write(state, "FROZEN")
            now = files.read(state).strip()
            if now == "FROZEN":
                return
            if attempt % (_THAW_EVERY // 2) == 0:
                time.sleep(_SHORT_PAUSE)
        raise CgroupError(errno.ETIMEDOUT, f"unable to freeze {path}", path=path)
    except BaseException:
        _thaw_quietly(state, "THAWED")
        raise


def thaw_v1(path: str) -> None:
    """Thaw a cgroup of the freezer hierarchy."""
    files.write(path + "/freezer.state", "THAWED")


def frozen_v1(path: str) -> bool:
    """Tell whether it is frozen itself.  Blocks while it is about to be, some seconds at most."""
    try:
        for _ in range(_TRIES):
            if (state := files.read(path + "/freezer.state").strip()) != "FREEZING":
                return state == "FROZEN" and files.read(path + "/freezer.self_freezing").strip() == "1"
            time.sleep(_SHORT_PAUSE)
    except OSError as error:
        if error.errno in files.GONE:
            return False
        raise _unreadable(error, path + "/freezer.state") from None
    return True


def freeze_v2(path: str) -> None:
    """Freeze a cgroup of version 2 and wait until it is, 10 seconds at most; thaws it when that fails."""
    freeze = path + "/cgroup.freeze"
    try:
        files.write(freeze, "1")
        _wait_frozen(path)
    except BaseException:
        _thaw_quietly(freeze, "0")
        raise


def thaw_v2(path: str) -> None:
    """Thaw a cgroup of version 2."""
    files.write(path + "/cgroup.freeze", "0")


def frozen_v2(path: str) -> bool:
    """Tell whether it is frozen itself; waits for one that is about to be, 10 seconds at most."""
    try:
        if files.read(path + "/cgroup.freeze").strip() != "1":
            return False
    except OSError as error:
        if error.errno in files.GONE:
            return False
        raise _unreadable(error, path + "/cgroup.freeze") from None
    _wait_frozen(path)
    return True


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
        while b"frozen 1" not in os.pread(descriptor, 4096, 0):
            left = deadline - time.monotonic()
            if left <= 0:
                raise CgroupError(errno.ETIMEDOUT, f"timeout reached waiting for {path} to freeze", path=path)
            poll.poll(left * 1000)
    finally:
        os.close(descriptor)


def _thaw_quietly(path: str, value: str) -> None:
    try:
        files.write(path, value)
    except CgroupError:
        pass


def _unreadable(error: OSError, path: str) -> CgroupError:
    code = error.errno or errno.EIO
    message = f"unable to get cgroup freezer state: cannot read {path}: {files.reason(code)}"
    return CgroupError(code, message, call="read", path=path)
