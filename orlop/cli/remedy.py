"""What a command line that is not understood may have meant.  Imported only when there is one."""

from __future__ import annotations

import os
from difflib import get_close_matches

from orlop.cli.context import FLAGS as GLOBAL_FLAGS
from orlop.cli.table import COMMANDS, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orlop.cli.flags import Command, Flag


def for_command(name: str, program: str) -> str:
    """The remedy for a command that there is not."""
    if os.path.isdir(name) or os.path.isfile(name):
        bundle = name if os.path.isdir(name) else os.path.dirname(name) or "."
        return f"to run the bundle in {bundle}: {program} run --bundle {bundle} CONTAINER-ID"
    near = get_close_matches(name, COMMANDS, 1)
    return f"did you mean {near[0]}?" if near else "the command `help` lists all commands"


def for_flag(flag: str, program: str, name: str, command: Command | None) -> str | None:
    """The remedy for a flag that there is not: it may belong elsewhere on the line, or be misspelt."""
    if command is None:
        if any(flag in _names(load(each).flags) for each in COMMANDS):
            return f"{_form(flag)} stands behind the command: {program} COMMAND {_form(flag)}"
    elif flag in _names(GLOBAL_FLAGS):
        return f"{_form(flag)} stands before the command: {program} {_form(flag)} ... {name}"
    near = get_close_matches(flag, _names(GLOBAL_FLAGS if command is None else command.flags), 1)
    return f"did you mean {_form(near[0])}?" if near else None


def _names(flags: Iterable[Flag]) -> list[str]:
    return [form for flag in flags if flag[4] for form in flag[:2] if form]


def _form(flag: str) -> str:
    return f"--{flag}" if len(flag) > 1 else f"-{flag}"
