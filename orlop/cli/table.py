"""The table of commands.  Each is in the module of its name; only the module of the called one is imported."""

from __future__ import annotations

from orlop.errors import OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Command

# Name → one line of help, in the order of the help.
COMMANDS = {
    "check": "find what is wrong with a bundle, and run nothing",
    "checkpoint": "save a running container to disk (not available yet)",
    "completion": "print the completion of this command line for a shell",
    "create": "create a container",
    "delete": "delete a container and everything that is kept of it",
    "events": "show what a container uses, and when it runs out of memory",
    "exec": "run another process in a container",
    "explain": "show all that the kernel would be asked to do, and do nothing",
    "features": "show what this runtime can do, as JSON",
    "kill": "send a signal (default: SIGTERM) to a container's init process",
    "list": "list the containers below the state root",
    "pause": "stop the processes of a container where they are",
    "ps": "show the processes of a container",
    "restore": "make a container anew from a checkpoint (not available yet)",
    "resume": "let a paused container go on",
    "run": "create a container and start it",
    "spec": "write a config.json to begin with",
    "start": "start the process of a created container",
    "state": "show the state of a container, as JSON",
    "update": "change the limits of a container",
    "help": "list the commands, or show the help of one",
}
ALIASES = {"h": "help"}
HIDDEN = ("attend",)


class UnknownCommand(OrlopError):
    """No command has this name.  The words are runc's, whose tests read them."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No help topic for '{name}'")
        self.name = name


def canonical(name: str) -> str:
    """Return the name that the table has for `name`.  Raises UnknownCommand."""
    name = ALIASES.get(name, name)
    if name not in COMMANDS and name not in HIDDEN:
        raise UnknownCommand(name)
    return name


def load(name: str) -> Command:
    """Import the command; `name` is one that `canonical` returned."""
    command: Command = __import__(f"orlop.cli.{name}", fromlist=("COMMAND",)).COMMAND
    return command
