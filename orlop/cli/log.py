"""Log lines, as engines read them.

JSON lines are one object with `level`, `msg`, `time` first and in this order, then what else is known about an error.
containerd takes `msg` of the last line whose level is error; Podman takes the file for one single object.  So an error
is one line, never two.  Text lines are logfmt.  On a terminal a person reads, and gets `error: …` and `hint: …`.
"""

from __future__ import annotations

import sys
import time

from orlop import system as os
from orlop.cli.output import complain, encoded, write
from orlop.errors import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.context import Context

_LEVELS = {"warn": "warning", "fatal": "error"}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_line(context: Context, level: str, message: str, extra: dict[str, str]) -> None:
    """Write one line to the log of `context`; to standard error where that is not possible."""
    level = _LEVELS.get(level, level)
    if context.debug and "func" not in extra:
        frame = sys._getframe(2)  # past this function and Context.log
        code = frame.f_code
        extra["func"] = f"{frame.f_globals.get('__name__', '')}.{code.co_name}()"
        extra["file"] = f"{os.path.basename(code.co_filename)}:{frame.f_lineno}"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if context.log_json:
        line = json_line(level, message, now, extra)
    elif context.log_fd == 2 and os.isatty(2):
        line = terminal_lines(level, message, extra)
    else:
        line = text_line(level, message, now, extra)
    try:
        write(context.log_fd, encoded(line + "\n"))
    except OSError as error:
        if context.log_fd != 2:
            from orlop.cli.refusal import reason

            complain(f"cannot write to the log: {reason(error)}")


def json_line(level: str, message: str, now: str, extra: dict[str, str]) -> str:
    try:
        from _json import encode_basestring_ascii as quote
    except ImportError:
        from json.encoder import encode_basestring_ascii as quote
    pairs = [("level", level), ("msg", message), ("time", now)]
    pairs += [(key, extra[key]) for key in sorted(extra)]
    return "{" + ",".join(f"{quote(key)}:{quote(value)}" for key, value in pairs) + "}"


def text_line(level: str, message: str, now: str, extra: dict[str, str]) -> str:
    """Return a logfmt line.  The hint is in it; the other details are, in words, in the message already."""
    line = f"time={quoted(now)} level={level} msg={quoted(message)}"
    for key in ("hint", "func", "file"):
        if key in extra:
            line += f" {key}={quoted(extra[key])}"
    return line


def terminal_lines(level: str, message: str, extra: dict[str, str]) -> str:
    hint = extra.get("hint")
    line = f"{level}: {printable(message)}"
    return f"{line}\nhint: {printable(hint)}" if hint else line


def quoted(text: str) -> str:
    """Return `text` in double quotes, escaped as Go's %q does, so that nothing can break or colour the line."""
    pieces = []
    for character in text:
        if character.isprintable():
            pieces.append(_ESCAPES.get(character, character))
        elif character in _ESCAPES:
            pieces.append(_ESCAPES[character])
        else:
            code = ord(character)
            pieces.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(pieces) + '"'
