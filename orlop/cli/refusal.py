"""The words for what the kernel refused to the command line itself.  Imported only when something was refused."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import KernelError


def reason(error: OSError) -> str:
    """Return `no such file or directory` and the like, in Go's lower case."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def refused(error: OSError, what: str, call: str, path: str, *, hint: str | None = None) -> KernelError:
    """Make an error that names the option (`what`), the operation and the path."""
    message = f"{what}: {call} {path}: {reason(error)}"
    return KernelError(error.errno or 0, message, call=call, path=path, hint=hint)
