"""Write to standard output and standard error, past Python's own streams: no buffers, nothing lost at `os._exit`."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import OrlopError


class PipeClosed(OrlopError):
    """The reader of standard output has gone."""


def open_missing_streams() -> None:
    """Open /dev/null in the place of standard streams that the caller has closed: else a file of ours would get the
    number of one, and what is printed would be written to it."""
    while (fd := os.open("/dev/null", os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


def encoded(text: str) -> bytes:
    """Encode what came from argv and file names (PEP 383) back to the bytes it was; half characters are spelled out."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def write(fd: int, data: bytes) -> None:
    """Write all of `data`.  Blocks as the descriptor does; raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def put(text: str) -> None:
    """Write `text` to standard output.  Raises PipeClosed, or OrlopError where it cannot be written."""
    try:
        write(1, encoded(text))
    except BrokenPipeError:
        raise PipeClosed("standard output is closed") from None
    except OSError as error:
        from orlop.cli.refusal import reason

        raise OrlopError(f"cannot write to standard output: {reason(error)}") from None


def complain(text: str) -> None:
    """Write a line to standard error; where that fails nobody is left to tell."""
    try:
        write(2, encoded(text + "\n"))
    except OSError:
        pass
