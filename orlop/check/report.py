"""The check of a whole bundle: the document, the rules, the doubts, this host, and last the plan itself.

    bytes ─▶ JSON ─▶ unknown members ─▶ rules of the specification ─▶ (no errors?) doubts ─▶ this host ─▶ a plan

Each stage reports all that it finds; the ones after the rules need a config without errors, as they rely on its types.
"""

from __future__ import annotations

import os
from copy import deepcopy

from orlop.check.doubts import doubts
from orlop.check.fields import Table, nearest, value_at
from orlop.check.finding import ERROR, WARNING, Finding, error, warning
from orlop.check.host import lacks
from orlop.check.places import places
from orlop.check.program import program as program_there
from orlop.check.remedies import CONFIG, complete
from orlop.errors import ConfigError, OrlopError
from orlop.runtime.explain import program
from orlop.runtime.options import Options
from orlop.spec import fields
from orlop.spec.check import check
from orlop.spec.json import parse
from orlop.spec.load import is_predraft
from orlop.spec.predraft_fields import PREDRAFT
from orlop.spec.rootless import check_rootless
from orlop.spec.spelling import spelled
from orlop.spec.walk import cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.errors import Problem
    from orlop.spec.types import Spec

_SECRETS = ("process.env",)
_ORDER = {ERROR: 0, WARNING: 1}


def report(bundle: str, *, systemd: bool = False, rootless: bool | None = None) -> list[Finding]:
    """Everything there is to say about a bundle, errors first.  Needs no privilege and changes nothing.

    `rootless` says whether the container is to be run without privileges; None asks who we are.
    """
    path = os.path.abspath(bundle)
    try:
        with open(f"{path}/{CONFIG}", "rb") as file:
            data = file.read()
    except OSError as refusal:
        hint = "`orlop spec` makes one; or name the bundle"
        message = f"cannot be read in {path}: {(refusal.strerror or '').lower()}"
        return [error(CONFIG, message, why="runtime-spec 1.3, bundle.md", hint=hint)]
    try:
        document = parse(data, CONFIG)
    except ConfigError as refusal:
        found = [_finding(problem, "RFC 8259; runtime-spec 1.3, glossary.md") for problem in refusal.problems]
        for finding in found:
            complete(finding)
        return found
    findings, spec = _document(document)
    if spec is not None:
        findings += doubts(spec, systemd=systemd)
        findings += _host(spec, path, systemd=systemd, rootless=rootless)
    for finding in findings:
        if finding.value is ... and not finding.field.startswith(_SECRETS):
            finding.value = value_at(document, finding.field)
        complete(finding)
    return sorted(findings, key=lambda finding: _ORDER[finding.level])


def _document(document: object) -> tuple[list[Finding], Spec | None]:
    """What the document alone tells; and the config, if there is no error in it.  Leaves the document as it is."""
    if is_predraft(document):
        return _predraft(document, spelled(deepcopy(document), PREDRAFT))
    config = spelled(deepcopy(document), fields.CONFIG)
    table = Table()
    findings = list(table.unknown(document))
    version = document.get("ociVersion") if isinstance(document, dict) else None
    if isinstance(version, str) and fields.is_semantic_version(version):
        findings += table.too_new(document, version)
    problems = check(config)
    findings += [_finding(problem, table.why(problem.field)) for problem in problems]
    return findings, None if problems else cast("Spec", config)


def _predraft(document: object, config: object) -> tuple[list[Finding], Spec | None]:
    from orlop.host.device import device
    from orlop.spec.predraft import convert

    table, today = Table(PREDRAFT), Table()
    findings = list(table.unknown(document))
    try:
        converted = convert(config, device)
    except ConfigError as refusal:
        return [*findings, *(_finding(problem, table.why(problem.field)) for problem in refusal.problems)], None
    problems = check(converted)
    findings += [_finding(problem, today.why(problem.field)) for problem in problems]
    return findings, None if problems else cast("Spec", converted)


def _host(spec: Spec, bundle: str, *, systemd: bool, rootless: bool | None) -> list[Finding]:
    found = [*_root(spec, bundle), *places(spec, bundle), *lacks(spec)]
    found += program_there(spec, os.path.join(bundle, spec["root"]["path"]))
    if rootless or (rootless is None and os.geteuid() != 0):
        level = error if rootless else warning
        why = "a container that is run without privileges"
        for problem in check_rootless(spec):
            found.append(level(problem.field, problem.message, why=why, hint=problem.hint))
    if "process" in spec and not any(finding.level == ERROR for finding in found):
        found += _plan(bundle, systemd=systemd, rootless=rootless)
    return found


def _plan(bundle: str, *, systemd: bool, rootless: bool | None) -> list[Finding]:
    """What `create` would refuse before it makes anything."""
    try:
        program("check", Options(bundle=bundle, systemd_cgroup=systemd, rootless=rootless))
    except ConfigError as refusal:
        return [_finding(problem, "orlop create") for problem in refusal.problems]
    except OrlopError as refusal:
        field = getattr(refusal, "field", None)
        return [error(field or CONFIG, str(refusal), why="orlop create", hint=refusal.hint)]
    except OSError as refusal:
        return [error(CONFIG, f"cannot be planned here: {refusal.strerror}", why="orlop create")]
    return []


def _root(spec: Spec, bundle: str) -> list[Finding]:
    path = os.path.normpath(os.path.join(bundle, spec["root"]["path"]))
    why = "runtime-spec 1.3, config.md#root"
    try:
        names = os.listdir(path)
    except PermissionError:
        return []  # root may look into it
    except OSError as refusal:
        hint = "unpack a root file system there"
        siblings = os.listdir(bundle) if os.path.isdir(bundle) else []
        near = nearest(spec["root"]["path"], (name for name in siblings if os.path.isdir(f"{bundle}/{name}")))
        hint = f'did you mean "{near}"?' if near and near != spec["root"]["path"] else hint
        return [error("root.path", f"{path}: {(refusal.strerror or '').lower()}", why=why, hint=hint)]
    if os.path.islink(path):
        return [error("root.path", f"{path} is a symbolic link", why=why, hint="name the directory itself")]
    if not names and not spec.get("mounts"):
        return [warning("root.path", f"{path} is empty", why=why, hint="unpack a root file system there")]
    return []


def _finding(problem: Problem, why: str) -> Finding:
    return error(problem.field or CONFIG, problem.message, why=why, hint=problem.hint)
