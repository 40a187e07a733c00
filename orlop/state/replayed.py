"""Records that a program wrote (plan/supervisor.py), which knows neither the calendar nor how to read /proc: such a one
has no time, and the process is told by a file beside it.

    state.json      as always, without `created`, `init_process_pid` and `init_process_start`
    config.json     written once, as the container is created: its time is that of the container
    init.stat       /proc/<pid>/stat of the first process, as it was before it became anybody's program; not yet there
                    while there is no process
"""

from __future__ import annotations

from orlop import system as os
from orlop.errors import OrlopError
from orlop.host.probe import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.state.store import Record

STAT = "init.stat"


def complete(record: Record, directory: str) -> None:
    """Put into a record what is told beside it.  Raises OrlopError where that is damaged."""
    from orlop.state.store import timestamp

    try:
        record.created = timestamp(os.stat(f"{directory}/config.json").st_mtime_ns)
        text = read_text(f"{directory}/{STAT}")
    except FileNotFoundError:
        return
    try:
        record.init_process_pid = int(text[: text.index(" ")])
        record.init_process_start = int(text[text.rindex(")") + 2 :].split()[19])
    except (ValueError, IndexError):
        hint = "remove the container with delete --force"
        raise OrlopError(f"{directory}/{STAT} does not tell of a process", hint=hint) from None
