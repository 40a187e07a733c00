"""The process object that an exec runs: that of the container's config with changes, or one from a file."""

from __future__ import annotations

from orlop.errors import ConfigError
from orlop.spec.check import check_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.exec import ExecRequest
    from orlop.spec.types import Process


def asked_for(base: Process, request: ExecRequest) -> Process:
    """The process that a request means.  Raises ConfigError."""
    if request.process_file is not None:
        from orlop.spec.load import load_process

        return load_process(request.file(), request.process_file)
    if not request.args:
        raise ConfigError("exec args cannot be empty")
    process: Process = {**base, "args": request.args, "terminal": request.tty}
    process.pop("consoleSize", None)
    user = {**(base.get("user") or {})}
    if request.user is not None:
        uid, gid = request.user
        user["uid"] = uid
        if gid is not None:
            user["gid"] = gid
    if request.additional_gids:
        user["additionalGids"] = [*(user.get("additionalGids") or []), *request.additional_gids]  # type: ignore[misc]
    process["user"] = user  # type: ignore[typeddict-item]
    if request.cwd is not None:
        process["cwd"] = request.cwd
    if request.env:
        process["env"] = [*(base.get("env") or []), *request.env]
    if request.no_new_privs is not None:
        process["noNewPrivileges"] = request.no_new_privs
    if request.process_label is not None:
        process["selinuxLabel"] = request.process_label
    if request.apparmor is not None:
        process["apparmorProfile"] = request.apparmor
    if request.caps:
        process["capabilities"] = _more_capabilities(base, request.caps)  # type: ignore[typeddict-item]
    problems = check_process(process)
    if problems:
        raise ConfigError(problems)
    return process


def _more_capabilities(base: Process, names: list[str]) -> dict[str, list[str]]:
    """Never inheritable (CVE-2022-29162); ambient only where the config has inheritable ones."""
    sets = {name: list(values) for name, values in (base.get("capabilities") or {}).items()}  # type: ignore[call-overload]
    places = ["bounding", "effective", "permitted"] + (["ambient"] if sets.get("inheritable") else [])
    for place in places:
        sets[place] = list(dict.fromkeys([*sets.get(place, []), *names]))
    return sets
