"""`update`: change the limits of a container."""

from __future__ import annotations

from orlop import system as os
from orlop.cli.flags import Command
from orlop.cli.options import container_id, options
from orlop.cli.size import size
from orlop.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

    Value = int | str
    Section = dict[str, Value]

# Flag, section and field of linux.resources, how its text is read, help.
_FIELDS = (
    ("blkio-weight", "blockIO", "weight", "count", "weight of block I/O, from 10 to 1000"),
    ("cpu-period", "cpu", "period", "unsigned", "length of a period of the CPU quota, in microseconds"),
    ("cpu-quota", "cpu", "quota", "number", "CPU time in a period, in microseconds; -1 for no limit"),
    ("cpu-burst", "cpu", "burst", "unsigned", "unused CPU time that may be saved up, in microseconds"),
    ("cpu-share", "cpu", "shares", "unsigned", "CPU shares, relative to other containers"),
    ("cpu-rt-period", "cpu", "realtimePeriod", "unsigned", "length of a real-time period, in microseconds"),
    ("cpu-rt-runtime", "cpu", "realtimeRuntime", "number", "real-time CPU time in a period, in microseconds"),
    ("cpuset-cpus", "cpu", "cpus", "text", "processors to use, such as 0-3,7"),
    ("cpuset-mems", "cpu", "mems", "text", "memory nodes to use, such as 0"),
    ("cpu-idle", "cpu", "idle", "number", "1 to run only when nothing else wants the CPU, 0 for the ordinary way"),
    ("memory", "memory", "limit", "size", "memory, in bytes or with a unit (b k m g); -1 for no limit"),
    ("memory-reservation", "memory", "reservation", "size", "memory that is not taken back without need"),
    ("memory-swap", "memory", "swap", "size", "memory and swap together; -1 for no limit"),
    ("pids-limit", "pids", "limit", "count", "number of processes and threads; -1 for no limit"),
    ("kernel-memory", "memory", "kernel", "size", ""),
    ("kernel-memory-tcp", "memory", "kernelTCP", "size", ""),
)
_KINDS = {"count": "int"}

FLAGS: tuple[Flag, ...] = (
    ("resources", "r", "text", "", "read the limits from a file, or with - from standard input; see below"),
    *((name, "", _KINDS.get(kind, "text"), None, help_) for name, _, _, kind, help_ in _FIELDS),
    ("l3-cache-schema", "", "text", "", "schema of the L3 cache, for Intel RDT/CAT"),
    ("mem-bw-schema", "", "text", "", "schema of the memory bandwidth, for Intel RDT/MBA"),
)


def run(args: Args) -> int:
    from orlop.runtime.update import update
    from orlop.spec.load import check_resources, load_resources

    identity = container_id(args)
    file = args.text("resources")
    resources = load_resources(_read(file), "standard input" if file == "-" else file) if file else _from_flags(args)
    check_resources(resources)
    update(
        identity,
        resources,
        options(args),
        l3_cache_schema=args.text("l3-cache-schema"),
        mem_bw_schema=args.text("mem-bw-schema"),
    )
    return 0


def _from_flags(args: Args) -> dict[str, object]:
    sections: dict[str, Section] = {}
    for name, section, field, kind, _ in _FIELDS:
        if name not in args.given:
            continue
        value: Value | None = args.number(name) if kind == "count" else _value(name, kind, args.text(name))
        if value is None or (name == "blkio-weight" and not value):
            continue
        sections.setdefault(section, {})[field] = value
    return dict(sections)


def _value(name: str, kind: str, text: str) -> Value | None:
    """Read the text of a flag; an empty one is as good as none."""
    if not text or kind == "text":
        return text or None
    value: int | None = None
    if kind == "size":
        value = -1 if text == "-1" else size(text)
        wanted = "a size, such as 64M, 1.5G, 1000 or -1"
    else:
        digits = text[1:] if kind == "number" and text[:1] in ("+", "-") else text
        value = int(text) if digits.isascii() and digits.isdigit() else None
        wanted = "a number"
    if value is None:
        raise ConfigError(f'invalid value for {name}: "{text}" is not {wanted}')
    return value


def _read(file: str) -> bytes:
    try:
        fd = 0 if file == "-" else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
        if fd:
            os.close(fd)
        return b"".join(parts)
    except OSError as error:
        from orlop.cli.refusal import refused

        raise refused(error, "--resources", "read", file) from None


COMMAND = Command(
    run,
    FLAGS,
    (1, 1),
    "[command options] <container-id>",
    """\
Changes the limits of a container that is created, running or paused. What is
not given stays. When the kernel refuses a value, all old ones are set back.

A file of --resources holds an object as linux.resources of config.json; all
other options but those of Intel RDT are ignored then. Of it memory (limit,
reservation, swap, checkBeforeUpdate), cpu, blockIO, pids and unified count:

    # echo '{{"memory": {{"limit": 67108864}}}}' | {program} update -r - web
    # {program} update --memory 64M --pids-limit 100 web
""",
)
