"""Writes a manual page for each command, from the tables of flags: python3 tools/manual.py DIRECTORY."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from orlop.cli.completion import visible
from orlop.cli.table import COMMANDS, load
from orlop.version import VERSION

DATE = (Path(__file__).parents[1] / "man/orlop.1").read_text().split('"')[1]


def roff(text: str) -> str:
    """Escape a line of text."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return "\\&" + text if text[:1] == "." else text


def page(name: str) -> str:
    """The page orlop-NAME(1)."""
    command = load(name)
    lines = [
        f'.TH ORLOP\\-{name.upper()} 1 "{DATE}" "orlop {VERSION}" "User Commands"',
        ".SH NAME",
        f"orlop\\-{name} \\- {roff(COMMANDS[name])}",
        ".SH SYNOPSIS",
        *synopsis(name, command.usage),
        ".SH DESCRIPTION",
        *paragraphs(command.detail.format(program="orlop")),
        ".SH OPTIONS",
        *options(name),
        ".SH SEE ALSO",
        ".BR orlop (1)",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def synopsis(name: str, usage: str) -> list[str]:
    """The ways to call a command, a line each."""
    lines = []
    for way in usage.split("  |  "):
        lines += [".br", f".B orlop {name}", roff(way)]
    return lines[1:]


def options(name: str) -> list[str]:
    """The options of a command, or those before it where `name` is empty."""
    lines = []
    for flag in visible(name):
        value = "" if flag[2] == "bool" else "\\fR \\fIvalue"
        forms = [f"\\fB\\-\\-{roff(flag[0])}{value}\\fR", *([f"\\fB\\-{flag[1]}{value}\\fR"] if flag[1] else [])]
        default = "" if isinstance(flag[3], bool) or flag[3] in (None, "", 0, -1) else f" (default: {flag[3]})"
        lines += [".TP", ", ".join(forms), roff(flag[4] + default)]
    return lines


def paragraphs(text: str) -> list[str]:
    """The description of a command: paragraphs, and examples, which are indented."""
    lines, example = [], False
    for line in text.splitlines():
        if line.startswith("    ") != example and line:
            example = not example
            lines.append(".PP\n.EX" if example else ".EE")
        lines.append(roff(line) if line else ".PP" if not example else "")
    lines = "\n".join(line for line in lines if line).replace(".PP\n.PP\n", ".PP\n").split("\n")
    return lines + ([".EE"] if example else [])


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for each in COMMANDS:
        (directory / f"orlop-{each}.1").write_text(page(each))
