"""What an error becomes: one line of the log, text for people, and the exit status.

0 is success, 1 an error, 3 an unknown command, 255 an `exec` that could not be done; a foreground `run` or `exec` ends
with the status of its process.  A process that a signal should end leaves with 128 and its number.
"""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.cli.flags import UsageError
from orlop.cli.output import PipeClosed, complain, put
from orlop.cli.refusal import reason
from orlop.cli.table import UnknownCommand
from orlop.errors import (
    CgroupError,
    ConfigError,
    ExecError,
    HookError,
    InternalError,
    Interrupted,
    KernelError,
    OrlopError,
    printable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.context import Context
    from orlop.cli.flags import Command

INTERRUPTED = 130  # 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE
_STARTING = "unable to start container process: "
_STAGES = dict.fromkeys(("create", "run"), f"{_STARTING}error during container init: ")
_STAGES["exec"] = _STARTING
_REMEDY = "run again with --debug for the traceback"


def told(error: BaseException, context: Context, name: str, command: Command | None) -> int:
    """Tell the user and the log of `error` and return the exit status; `name` is the command, as far as it is known."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + error.number if isinstance(error, Interrupted) else INTERRUPTED
    if isinstance(error, UsageError):
        return _usage(error, context, name, command)
    if isinstance(error, UnknownCommand):
        from orlop.cli.remedy import for_command

        error.hint = for_command(error.name, context.program)
        _tell(context, error.message, details(error))
        return 3
    if isinstance(error, PipeClosed):
        return PIPE_CLOSED  # the reader had enough: nothing to tell, as for a program that SIGPIPE ends
    if name == "run" and context.program == "runc" and isinstance(error, ExecError) and error.call == "execve":
        return _container_failed(error, context)
    if isinstance(error, OrlopError):
        message, extra = str(error), details(error)
        if isinstance(error, InternalError):
            message = f"internal error: {message}"
            extra.setdefault("hint", _REMEDY)
    elif isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(error.filename)
        message = f"{path}: {reason(error)}"
        extra = {"errno": errno.errorcode.get(error.errno, str(error.errno)), "path": path}
    else:
        message, extra = f"internal error: {type(error).__name__}: {error}", {"hint": _REMEDY}
    if context.debug and (not isinstance(error, OrlopError) or isinstance(error, InternalError)):
        extra.pop("hint", None)
        _trace(error, context)
    if context.debug:
        extra |= _raised_at(error)
    _tell(context, prefix(context.program, name) + stage(error, context.program, name) + message, extra)
    return 255 if name == "exec" else 1


def _container_failed(error: ExecError, context: Context) -> int:
    """From execve on runc leaves it to the container to tell what is wrong, in one plain line (its suite compares it).
    Only for those who call us by its name; a log of its own is told all the same."""
    if context.log_fd != 2:
        context.log("error", str(error), **details(error))
    complain(str(error))
    return 255


def prefix(program: str, name: str) -> str:
    """Return the words before a message.  runc's own, with the name that we were called by (engines show them)."""
    if name in ("create", "run"):
        return f"{program} {name} failed: "
    return "exec failed: " if name == "exec" else ""


def stage(error: BaseException, program: str, name: str) -> str:
    """Return runc's words for an error of the container's own process, which names a field of the config.  Only for
    those who call us by its name: its integration suite and scripts compare them."""
    if program != "runc":
        return ""
    if isinstance(error, CgroupError) and error.call == "mkdir":
        return f"{_STARTING}unable to apply cgroup configuration: "
    field = error.field if isinstance(error, (KernelError, HookError)) else None
    return _STAGES.get(name, "") if field and not field.startswith("hooks.poststart") else ""


def details(error: OrlopError) -> dict[str, str]:
    """Return what is known about an error besides its message, for JSON logs."""
    extra = {}
    if error.hint:
        extra["hint"] = error.hint
    if isinstance(error, HookError) and error.field:
        extra["field"] = error.field
    elif isinstance(error, KernelError):
        if error.errno is not None:
            extra["errno"] = errno.errorcode.get(error.errno, str(error.errno))
        for key, value in (("call", error.call), ("field", error.field), ("path", error.path)):
            if value:
                extra[key] = value
    elif isinstance(error, ConfigError) and len(error.problems) == 1 and error.problems[0].field:
        extra["field"] = error.problems[0].field
    return extra


def _tell(context: Context, message: str, extra: dict[str, str]) -> None:
    """Log the error.  Where the log is a file the plain message goes to standard error too, as engines expect."""
    context.log("error", message, **extra)
    if context.log_fd != 2:
        person = os.isatty(2)
        complain(printable(message) if person else message)
        if "hint" in extra and person:
            complain(f"hint: {printable(extra['hint'])}")


def _usage(error: UsageError, context: Context, name: str, command: Command | None) -> int:
    """Show the help on standard output below `Incorrect Usage`; the error itself has no prefix and is 1 for all."""
    from orlop.cli.help import command_help, program_help

    mark = ":" if command else "."
    head = "Incorrect Usage." if error.arity else f"Incorrect Usage{mark} {error.message}"
    text = command_help(context.program, name, command) if command else program_help(context.program)
    try:
        put(f"{head}\n\n{text}")
    except OrlopError:
        pass  # the error itself still has to be told
    if error.flag:
        from orlop.cli.remedy import for_flag

        error.hint = for_flag(error.flag, context.program, name, command)
    _tell(context, error.message, details(error))
    return 1


def _raised_at(error: BaseException) -> dict[str, str]:
    """Return the function and line that raised the error, for debug logs; they would name this file otherwise."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return {}
    code = trace.tb_frame.f_code
    module = trace.tb_frame.f_globals.get("__name__", "")
    return {"func": f"{module}.{code.co_name}()", "file": f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}"}


def _trace(error: BaseException, context: Context) -> None:
    """Show the traceback before the error line: engines take the last line for the error."""
    import traceback

    text = "".join(traceback.format_exception(error)).rstrip("\n")
    complain(text)
    if context.log_fd != 2:
        context.log("debug", text)
