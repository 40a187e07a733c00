"""`completion`: print what makes a shell complete this command line.  Everything comes from the flag tables."""

from __future__ import annotations

import re

from orlop.cli.context import FLAGS as GLOBAL_FLAGS
from orlop.cli.flags import HELP, Command
from orlop.cli.output import put
from orlop.cli.table import COMMANDS, load
from orlop.errors import ConfigError
from orlop.runtime.signals import NUMBERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

_NEW_ID = ("create", "explain", "restore", "run")  # their id is yet to be chosen
_DIRECTORIES = frozenset(("bundle", "image-path", "parent-path", "root", "work-path"))
_SHELLS = ("bash", "fish", "zsh")
# What a positional may be, by command and number; those of containers that exist come from the usage.
WORDS = {
    ("completion", 0): " ".join(_SHELLS),
    ("help", 0): " ".join(COMMANDS),
    ("kill", 1): " ".join(NUMBERS),
}


def run(args: Args) -> int:
    from orlop.cli import shells

    shell = args.rest[0]
    if shell not in _SHELLS:
        raise ConfigError(f"no completion for the shell {shell}", hint=f"there are {', '.join(_SHELLS)}")
    put({"bash": shells.bash, "fish": shells.fish, "zsh": shells.zsh}[shell](args.context.program))
    return 0


def visible(name: str) -> list[Flag]:
    """The flags of a command, and of the program where `name` is empty, that the help shows."""
    return [flag for flag in (*(load(name).flags if name else GLOBAL_FLAGS), HELP) if flag[4]]


def choices(flag: Flag) -> str:
    """The words that a flag's value may be, which its help has in quotes; empty for any."""
    return "" if flag[2] == "bool" else " ".join(re.findall(r"'([^' ]+)'", flag[4]))


def wants_directory(flag: Flag) -> bool:
    return flag[0] in _DIRECTORIES


def takes_container(name: str) -> bool:
    """Does a command take the id of a container that exists?"""
    return name not in _NEW_ID and "<container-id>" in load(name).usage


def forms(flag: Flag) -> list[str]:
    """How a flag is written."""
    return [f"--{flag[0]}", *([f"-{flag[1]}"] if flag[1] else [])]


COMMAND = Command(
    run,
    (),
    (1, 1),
    "bash|fish|zsh",
    """\
Prints the completion of this command line for a shell. To have it now, or always:

    $ source <({program} completion bash)
    # {program} completion bash > /usr/share/bash-completion/completions/{program}
    # {program} completion zsh > /usr/share/zsh/site-functions/_{program}
    # {program} completion fish > /usr/share/fish/vendor_completions.d/{program}.fish
""",
)
