"""Keeps a `run` that was recalled as programs (runtime/kept.py), so that the next one needs no interpreter.

All that the recalled program depends on is looked at by the supervisor's program, before anything is made.  Only what
most containers are is kept: in the foreground, with namespaces of their own but for the user's, and nothing that the
supervisor does for them but cgroup and state.
"""

from __future__ import annotations

from _struct import pack

from orlop import system as os
from orlop.cgroup import files
from orlop.host.cgroups import layout
from orlop.host.probe import read_text
from orlop.host.user_namespace import in_user_namespace
from orlop.plan import events
from orlop.plan.supervision import Supervision
from orlop.plan.supervisor import LIMITS, supervisor_program
from orlop.program.layout import EVENT_HEAD
from orlop.runtime import kept
from orlop.runtime.answers import home
from orlop.runtime.recall import Recalled, plain
from orlop.runtime.seccomp import library
from orlop.state.replayed import STAT
from orlop.state.store import REPLAYED, Record, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Cgroup
    from orlop.executor.link import Event
    from orlop.plan.facts import Facts
    from orlop.runtime.creation import Creation
    from orlop.runtime.kept import Call
    from orlop.runtime.options import Called

_LONGEST = 4000  # bytes of a file of /proc that is compared: it is read at once
_CONFIG_LONGEST = 60_000
_UNIFIED = "/sys/fs/cgroup/cgroup.controllers"


def keep(creation: Creation, called: Called) -> None:
    """Keep it, if it is one that can be kept.  Silent where that is not possible."""
    call = kept.Call(*called)
    try:
        if _simple(creation) and not any(creation.record.id in word for word in (call.directory, *call.arguments[:-1])):
            _keep(creation, call)
    except (OSError, ValueError, LookupError):
        return


def _simple(creation: Creation) -> bool:
    """Does nothing of what the supervisor did depend on more than what the program looks at?"""
    options, spec, record, launch = creation.options, creation.bundle.spec, creation.record, creation.launch
    linux = spec.get("linux") or {}
    rows = linux.get("namespaces") or []
    if launch is None or not (launch.at_once and isinstance(launch.program, Recalled)):
        return False
    if any(row.get("path") for row in rows) or "user" in record.namespaces or "pid" not in record.namespaces:
        return False
    if in_user_namespace():
        return False
    if options.preserve_fds or options.listen_fds or options.no_pivot or options.systemd_cgroup or record.rootless:
        return False
    if creation.owner or creation.maps or creation.planning.doubts or linux.get("netDevices"):
        return False
    memory = (linux.get("resources") or {}).get("memory") or {}
    if memory.get("kernel") or memory.get("kernelTCP"):
        return False
    kinds = [event.kind for event in launch.heard]
    if kinds[:1] != [events.PID] or kinds[1:] not in ([events.CREATED], [events.HOME, events.CREATED]):
        return False
    made = [path for kind, path, _text in files.journal or () if kind == "make"]
    return sorted(made) == sorted({*creation.cgroup.paths.values()})


def _keep(creation: Creation, call: Call) -> None:
    record, launch, asked = creation.record, creation.launch, creation.bundle.asked
    assert launch is not None and isinstance(launch.program, Recalled) and asked is not None
    code = asked[0]
    if call.arguments[-1] != record.id or not isinstance(code, bytes):
        return
    seen = _seen(creation)
    if seen is None:
        return
    steps = tuple(files.journal or ())
    made = _supervision(creation, seen, record, creation.cgroup, call, steps)
    other, cgroup = creation.planning.filled()
    inner = {path: cgroup.paths[name] for name, path in creation.cgroup.paths.items()}
    moved = tuple((kind, _moved(path, inner), text) for kind, path, text in steps)
    filled = _supervision(creation, seen, other, cgroup, kept.filled(call, record.id), moved)
    key = kept.key_of(call, record.id, code, seen.facts.stdio)
    if creation.planning.holds():
        kept.keep(key, record.id, supervisor_program(made), supervisor_program(filled), launch.program)


def _moved(path: str, inner: dict[str, str]) -> str:
    """A path below the container's cgroup, below another one."""
    for one, other in inner.items():
        if path == one or path.startswith(one + "/"):
            return other + path[len(one) :]
    return path


class _Seen:
    """What there was of the host, and is looked at again."""

    __slots__ = ("capabilities", "contents", "facts", "identities")

    def __init__(self, creation: Creation, contents: tuple[tuple[str, bytes], ...], facts: Facts) -> None:
        self.contents = contents
        self.facts = facts
        self.identities = _identities(creation)
        self.capabilities = _capabilities()


def _seen(creation: Creation) -> _Seen | None:
    """None where not enough is known."""
    contents, facts = _contents(creation), creation.planning.facts()
    mounts = creation.bundle.spec.get("mounts") or []
    binds = [row for row in mounts if {"bind", "rbind"} & {*(row.get("options") or ())}]
    if contents is None or any(row.get("source") not in facts.sources for row in binds):
        return None
    return _Seen(creation, contents, facts)


def _supervision(
    creation: Creation,
    seen: _Seen,
    record: Record,
    cgroup: Cgroup,
    call: Call,
    steps: tuple[tuple[str, str, str], ...],
) -> Supervision:
    """What the supervisor's program is made from."""
    launch, options, facts = creation.launch, creation.options, seen.facts
    assert launch is not None
    return Supervision(
        facts.architecture,
        directory=f"{os.path.abspath(options.root)}/{record.id}",
        record=encoded(_written(creation.record, record.id, cgroup.paths), REPLAYED),
        stat=STAT,
        config=creation.bundle.data,
        control=options.control,
        python=call.arguments[0],
        again=call.arguments,
        attend=[*_interpreter(call.arguments[: call.own + 1]), "--root", options.root, "attend", record.id],
        files=seen.contents,
        identities=seen.identities,
        sources=tuple(facts.sources.items()),
        capabilities=seen.capabilities,
        limits=b"".join(pack("<QQ", *facts.limits[number]) for number in range(LIMITS)) if facts.limits else b"",
        steps=steps,
        cgroups=tuple(dict.fromkeys(cgroup.paths.values())),
        heard=tuple(_heard(creation, event) for event in launch.heard),
    )


def _written(record: Record, container_id: str, cgroup_paths: dict[str, str]) -> Record:
    """The record of a container of this id: what is not yet known is left out."""
    out = Record.__new__(Record)
    for each in Record.FIELDS:
        setattr(out, each, getattr(record, each))
    out.id, out.cgroup_paths = container_id, cgroup_paths
    out.created, out.init_process_pid, out.init_process_start = "", 0, 0
    return out


def _interpreter(arguments: list[str]) -> list[str]:
    """For another time, when our files may have been replaced: it must look at them, and compile them anew."""
    left = [
        each for at, each in enumerate(arguments) if not (each == "fresh" or arguments[at + 1 : at + 2] == ["fresh"])
    ]
    return [_source(each) for each in left]


def _source(path: str) -> str:
    """boot.py, for what was made of it."""
    directory, _, file = path.rpartition("/__pycache__/boot.")
    return f"{directory}/boot.py" if file.endswith(".pyc") else path


def _heard(creation: Creation, event: Event) -> tuple[bytes, bytes]:
    told = pack(EVENT_HEAD, event.kind, event.op, event.value) + event.payload
    answer = b""
    if event.kind == events.HOME:
        answer = b"HOME=" + home(creation.bundle.spec["process"], event.payload) + b"\0"
    return told, answer


def _contents(creation: Creation) -> tuple[tuple[str, bytes], ...] | None:
    paths = ["/proc/self/uid_map", "/proc/self/cgroup"]
    if creation.layout.unified:
        paths += [_UNIFIED]
    else:
        paths += ["/proc/self/mountinfo"]
        paths += [f"{row.mount}/cgroup.controllers" for row in creation.layout.hierarchies if row.version == 2]
    found = tuple((path, os.fsencode(read_text(path))) for path in paths)
    if any(len(text) > _LONGEST for _path, text in found) or len(creation.bundle.data) > _CONFIG_LONGEST:
        return None
    if plain(layout()) != plain(creation.layout):
        return None
    config = os.path.join(creation.bundle.path, creation.options.config or "config.json")
    return (*found, (config, creation.bundle.data))


def _identities(creation: Creation) -> tuple[tuple[str, int, int, int], ...]:
    """Files that are a part of the program: the executor, and the library that compiled its seccomp filter."""
    paths = [kept.executor()]
    made = creation.planning.filter
    if made is not None:
        paths.append(library(made))
    return tuple(kept.identity(path) for path in paths)


def _capabilities() -> bytes:
    """What capget(2) gives."""
    status = read_text("/proc/self/status")
    sets = [int(status.partition(f"\n{name}:")[2].split("\n")[0], 16) for name in ("CapEff", "CapPrm", "CapInh")]
    return b"".join(pack("<III", *(bits >> shift & 0xFFFF_FFFF for bits in sets)) for shift in (0, 32))
