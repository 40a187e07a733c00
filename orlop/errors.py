"""The tree of errors that orlop raises.

Every error is an `OrlopError`; those that the kernel caused are also an `OSError`, so a caller may catch either.
A message starts in lower case, has no full stop, and names the field and the path; the remedy is apart, in `hint`.
"""

from __future__ import annotations

from orlop import system as os


def printable(text: str) -> str:
    """The text as one line that a terminal only shows: configs, and what containers write, may hold anything else."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class OrlopError(Exception):
    """Base of all errors of orlop.  `hint` is the remedy, where one is known."""

    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class Problem:
    """One thing that is wrong in a config: where (`linux.namespaces[2].type`), what, and what to do about it."""

    __slots__ = ("field", "hint", "message")

    def __init__(self, field: str, message: str, hint: str | None = None) -> None:
        self.field = field
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message

    def __repr__(self) -> str:
        return f"Problem({self.field!r}, {self.message!r})"


class ConfigError(OrlopError):
    """The config, the bundle or an option cannot be used.  `problems` holds all of them, not only the first."""

    def __init__(self, problems: list[Problem] | str, *, hint: str | None = None) -> None:
        self.problems = [Problem("", problems)] if isinstance(problems, str) else problems
        hints = [problem.hint for problem in self.problems if problem.hint]
        super().__init__("; ".join(map(str, self.problems)), hint=hint or (hints[0] if hints else None))


class StateError(OrlopError):
    """The container is not in a state that allows this: it exists, does not exist, runs, has stopped."""


class NotFound(StateError):
    """No container has this id."""


class HookError(OrlopError):
    """A hook failed, could not be started, or ran past its timeout.  `field` is its place in the config."""

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class KernelError(OrlopError, OSError):
    """The kernel refused an operation.

    `call` is the system call, `field` the config field that asked for it, `path` what it was done to (either may be
    None).
    """

    def __init__(
        self,
        error: int,
        message: str,
        *,
        call: str | None = None,
        field: str | None = None,
        path: str | None = None,
        hint: str | None = None,
    ) -> None:
        OSError.__init__(self, error, os.strerror(error))
        self.message = message
        self.hint = hint
        self.call = call
        self.field = field
        self.path = path

    def __str__(self) -> str:
        return self.message


class ExecError(KernelError):
    """The program itself could not be executed: not found (ENOENT) or not executable (EACCES and others)."""


class CgroupError(KernelError):
    """A cgroup could not be made, joined, read or removed, or a limit was refused."""


class Interrupted(KeyboardInterrupt):
    """A signal came that asks to stop, while the container was being made."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class InternalError(OrlopError):
    """Something happened that a bug of orlop, and nothing else, explains."""
