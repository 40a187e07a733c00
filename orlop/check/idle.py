"""Options that have no effect, because of what else the config says or does not say."""

from __future__ import annotations

from orlop.check.finding import Finding, warning
from orlop.plan.paths import clean
from orlop.spec.mounts import is_bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Spec

_NAMESPACES = "runtime-spec 1.3, config-linux.md#namespaces"
_SYSTEMD = "org.systemd.property."


def idle(spec: Spec, *, systemd: bool) -> Iterator[Finding]:
    """Every option without effect."""
    rows = spec.get("linux", {}).get("namespaces", [])
    kinds: dict[str, str] = {row["type"]: row.get("path") or "" for row in rows}
    yield from _without_mounts(spec, kinds)
    yield from _maps(spec, kinds)
    yield from _owners(spec, kinds)
    yield from _terminal(spec)
    yield from _root_masked(spec)
    yield from _killable(spec)
    yield from _idmaps(spec)
    if not systemd:
        for name in spec.get("annotations", {}):
            if name.startswith(_SYSTEMD):
                message, hint = "has no effect without --systemd-cgroup", "give the option, or leave it out"
                yield warning(f'annotations["{name}"]', message, why="runc, docs/systemd.md", hint=hint)


def _without_mounts(spec: Spec, kinds: dict[str, str]) -> Iterator[Finding]:
    if "mount" in kinds:
        return
    linux, hint = spec.get("linux", {}), 'add {"type": "mount"} to linux.namespaces, or leave it out'
    given = {"root.readonly": spec["root"].get("readonly"), "linux.rootfsPropagation": linux.get("rootfsPropagation")}
    for field, value in given.items():
        if value:
            yield warning(field, "has no effect without a mount namespace", why=_NAMESPACES, hint=hint)


def _maps(spec: Spec, kinds: dict[str, str]) -> Iterator[Finding]:
    if kinds.get("user"):
        for field in ("uidMappings", "gidMappings"):
            if spec.get("linux", {}).get(field):
                message = "has no effect: the user namespace that is joined has maps of its own"
                yield warning(f"linux.{field}", message, why=_NAMESPACES, hint="leave it out")


def _owners(spec: Spec, kinds: dict[str, str]) -> Iterator[Finding]:
    if "user" not in kinds:
        return
    why, hint = "runtime-spec 1.3, config-linux.md#devices", "leave it out, or change the node of the host"
    for index, device in enumerate(spec.get("linux", {}).get("devices", [])):
        for member in ("fileMode", "uid", "gid"):
            if device["type"] != "p" and device.get(member):
                message = "has no effect in a user namespace, where the host's node is used as it is"
                yield warning(f"linux.devices[{index}].{member}", message, why=why, hint=hint)


def _terminal(spec: Spec) -> Iterator[Finding]:
    process, why = spec["process"], "runtime-spec 1.3, config.md#process"
    size = process.get("consoleSize", {})
    if not process.get("terminal"):
        if "consoleSize" in process:
            message, hint = "has no effect without process.terminal", "set process.terminal, or leave it out"
            yield warning("process.consoleSize", message, why=why, hint=hint)
        return
    for member in ("height", "width"):
        if size and not size.get(member):
            hint = "write how many characters there are"
            yield warning(f"process.consoleSize.{member}", "the size has no effect with a 0 in it", why=why, hint=hint)
    places = {clean(mount["destination"]) for mount in spec.get("mounts", []) if mount.get("type") == "devpts"}
    bound = {clean(mount["destination"]) for mount in spec.get("mounts", []) if is_bind(mount)}
    if "dev/pts" not in places and not bound & {"dev", "dev/pts"}:
        message, hint = "a terminal needs devpts on /dev/pts", 'add a mount of the type "devpts" there'
        yield warning("process.terminal", message, why="runtime-spec 1.3, config.md#process", hint=hint)


def _root_masked(spec: Spec) -> Iterator[Finding]:
    for index, path in enumerate(spec.get("linux", {}).get("maskedPaths", [])):
        if clean(path) == ".":
            message = "the root itself cannot be masked: what is mounted on it, nobody in the container sees"
            hint = "name what is to be hidden in it"
            why = "runtime-spec 1.3, config-linux.md#masked-paths"
            yield warning(f"linux.maskedPaths[{index}]", message, why=why, hint=hint)


def _killable(spec: Spec) -> Iterator[Finding]:
    profile, flag = spec.get("linux", {}).get("seccomp", {}), "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    asked = any(rule["action"] == "SCMP_ACT_NOTIFY" for rule in profile.get("syscalls", []))
    if flag in profile.get("flags", []) and not asked:
        field = f"linux.seccomp.flags[{profile['flags'].index(flag)}]"
        message, hint = "has no effect: no rule has the action SCMP_ACT_NOTIFY", "leave it out, or add a rule"
        yield warning(field, message, why="seccomp(2)", hint=hint)


def _idmaps(spec: Spec) -> Iterator[Finding]:
    for index, mount in enumerate(spec.get("mounts", [])):
        if mount.get("uidMappings") and not {"idmap", "ridmap"} & {*mount.get("options", [])}:
            message = "a runtime that does not know them mounts without the mappings, and says nothing"
            hint, why = 'add the option "idmap", or "ridmap" for the whole tree', "runtime-spec 1.3, config.md#mounts"
            yield warning(f"mounts[{index}].uidMappings", message, why=why, hint=hint)
