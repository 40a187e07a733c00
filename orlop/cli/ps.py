"""`ps`: show the processes of a container."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import container_id, options
from orlop.cli.output import put
from orlop.errors import ConfigError, OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

FLAGS: tuple[Flag, ...] = (("format", "f", "text", "table", "'table' or 'json'"),)


def run(args: Args) -> int:
    from orlop.runtime.processes import processes

    form = args.text("format")
    if form not in ("table", "json"):
        raise ConfigError("invalid format option", hint="the formats are table and json")
    pids = processes(container_id(args), options(args))
    if form == "json":
        from orlop.spec.json import dump

        put(dump(pids or None) + "\n")
    else:
        put(selected(_ps(args.rest[1:] or ["-ef"]), pids))
    return 0


def _ps(words: list[str]) -> str:
    import subprocess

    try:
        done = subprocess.run(["ps", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise OrlopError("ps is not installed", hint="install procps, or use --format json") from None
    if done.returncode:
        raise OrlopError(f"ps {' '.join(words)}: exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def selected(text: str, pids: list[int]) -> str:
    """Return the header of what ps printed, and the lines of these processes."""
    lines = text.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise OrlopError("couldn't find PID field in ps output", hint="choose options of ps that show the column PID")
    column = titles.index("PID")
    wanted = set(map(str, pids))
    return "".join(line + "\n" for line in [lines[0], *(row for row in lines[1:] if row.split()[column] in wanted)])


COMMAND = Command(
    run,
    FLAGS,
    (1, None),
    "<container-id> [ps options]",
    """\
Shows the processes of a container with the host's ps. Options for ps follow the id
(default: -ef). With --format json only their ids are printed. For example:

    # {program} ps web -o pid,rss,args
""",
    flags_first=True,
)
