"""Keeps `start` and `delete` as programs (plan/commands.py), so that the next one of the same words needs no
interpreter."""

from __future__ import annotations

from orlop import system as os
from orlop.cgroup.freezer import FreezerV1
from orlop.host.probe import read_text, streams
from orlop.host.user_namespace import in_user_namespace
from orlop.plan import commands, native
from orlop.plan.commands import Brief, Command
from orlop.runtime import kept
from orlop.runtime.recall import FILLER
from orlop.state import brief
from orlop.state.store import BRIEF, FIFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.program.ops import Program
    from orlop.runtime.container import Found
    from orlop.runtime.kept import Call
    from orlop.runtime.options import Called, Options

_FILES = ("config.json", FIFO, "resources.json", BRIEF, "state.json")
_OTHERS = ("account.json", "monitor", "programs")


def keep_start(found: Found, options: Options, call: Called) -> None:
    """Keep the `start` of such a container.  Silent where that is not possible."""
    _keep(found, options, kept.Call(*call), lambda command: commands.start_program(command, FIFO))


def keep_delete(found: Found, options: Options, call: Called) -> None:
    """Keep the `delete` of such a container.  Silent where that is not possible."""
    _keep(found, options, kept.Call(*call), lambda command: commands.delete_program(command, _FILES, _OTHERS))


def _keep(found: Found, options: Options, call: Call, program: Callable[[Command], Program]) -> None:
    container_id, root = found.record.id, os.path.abspath(options.root)
    if os.geteuid() or options.notify_socket or container_id in root or call.arguments[-1] != container_id:
        return
    try:
        key = kept.key_of(call, container_id, kept.mark(), streams())
        if in_user_namespace() or kept.exists(key, container_id):
            return
        made = program(_command(found, root, container_id, call))
        template = program(_command(found, root, FILLER * len(container_id), kept.filled(call, container_id)))
        kept.keep(key, container_id, made, template)
    except (OSError, ValueError, LookupError):
        return


def _command(found: Found, root: str, container_id: str, call: Call) -> Command:
    count = len(dict.fromkeys(found.record.cgroup_paths.values()))
    places = tuple(brief.CGROUPS_AT + brief.PATH_SIZE * number for number in range(count))
    thawed = b"THAWED\n" if isinstance(found.cgroup.freezer(), FreezerV1) else b"0\n"
    return Command(
        os.uname().machine,
        f"{root}/{container_id}",
        Brief(BRIEF, brief.head(count), brief.size(count), brief.PROGRAM_AT, brief.FREEZER_AT, thawed, places),
        call.arguments[0],
        call.arguments,
        os.fsencode(read_text("/proc/self/uid_map")),
        tuple(kept.identity(path) for path in (kept.executor(), commands.__file__, native.__file__)),
    )
