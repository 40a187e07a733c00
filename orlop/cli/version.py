"""What `--version` prints.  Engines read the lines by their first words, runc's tests want the first three in order."""

from __future__ import annotations

import os
import sys

from orlop.cli.output import put
from orlop.version import COMMIT, RUNC_VERSION, SPEC_VERSION, VERSION


def show(program: str) -> int:
    put("".join(f"{line}\n" for line in version_lines(program)))
    return 0


def version_lines(program: str) -> list[str]:
    """Return the lines; under the name `runc` the first names the runc that we follow, which engines compare."""
    shown = f"{RUNC_VERSION} (orlop {VERSION})" if program == "runc" else VERSION
    return [f"{program} version {shown}", *facts()[1:]]


def facts() -> list[str]:
    lines = [VERSION, f"commit: {commit()}", f"spec: {SPEC_VERSION}", f"python: {sys.version.split()[0]}"]
    seccomp = libseccomp_version()
    return [*lines, f"libseccomp: {seccomp}"] if seccomp else lines


def commit(checkout: str | None = None) -> str:
    """Return the commit that was built, or the one checked out around this package, or `unknown`."""
    if COMMIT:
        return COMMIT
    git = os.path.join(checkout or os.path.dirname(os.path.dirname(os.path.dirname(__file__))), ".git")
    head = _text(f"{git}/HEAD")
    if not head.startswith("ref: "):
        return head or "unknown"
    branch = head[5:]
    packed = (line.split() for line in _text(f"{git}/packed-refs").splitlines())
    return _text(f"{git}/{branch}") or next((row[0] for row in packed if row[1:] == [branch]), "unknown")


def libseccomp_version() -> str:
    """Return the version of the libseccomp that would be loaded, or an empty text."""
    try:
        from ctypes import CDLL, POINTER, c_uint

        function = CDLL("libseccomp.so.2").seccomp_version
        function.restype = POINTER(c_uint)
        version = function()
        return f"{version[0]}.{version[1]}.{version[2]}"
    except (ImportError, OSError, AttributeError, ValueError):
        return ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
