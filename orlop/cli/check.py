"""`check`: everything that is wrong with a bundle, without running it."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import BUNDLE
from orlop.errors import ConfigError, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.check.finding import Finding
    from orlop.cli.flags import Args, Flag

FLAGS: tuple[Flag, ...] = (
    BUNDLE,
    ("format", "f", "text", "text", "'text' or 'json'"),
    ("strict", "", "bool", False, "end with status 1 for warnings too"),
)
_LONGEST = 100  # characters of a value


def run(args: Args) -> int:
    from orlop.check.report import report
    from orlop.cli.output import put
    from orlop.spec.json import dump

    form = args.text("format")
    if form not in ("text", "json"):
        raise ConfigError(f"invalid format option: {form}", hint="the formats are text and json")
    if args.rest and args.text("bundle"):
        raise ConfigError("the bundle is named twice", hint="leave out --bundle, or the argument")
    bundle = args.rest[0] if args.rest else args.text("bundle") or "."
    context = args.context
    found = report(bundle, systemd=context.systemd_cgroup, rootless=context.rootless)
    errors = sum(finding.level == "error" for finding in found)
    if form == "json":
        put(dump({"errors": errors, "findings": [finding.document() for finding in found]}, "  ") + "\n")
    else:
        put("".join(map(_told, found)) + _summary(errors, len(found) - errors))
    return 1 if errors or (found and args.flag("strict")) else 0


def _told(finding: Finding) -> str:
    lines = [f"{finding.level}: {finding.field}: {finding.message}"]
    rows = {"value": _shown(finding.value), "why": finding.why, "remedy": finding.hint or ""}
    lines += [f"  {name + ':':<8}{text}" for name, text in rows.items() if text]
    return "\n".join(map(printable, lines)) + "\n\n"


def _shown(value: object) -> str:
    from orlop.spec.json import dump

    if value is ... or isinstance(value, (dict, list)):
        return ""  # an object says nothing that its path does not
    text = dump(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _summary(errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return "nothing found\n"
    counts = ((errors, "error"), (warnings, "warning"))
    return ", ".join(f"{number} {word}{'s' * (number != 1)}" for number, word in counts if number) + "\n"


COMMAND = Command(
    run,
    FLAGS,
    (0, 1),
    "[command options] [bundle]",
    """\
Checks a bundle without running it and without root: every rule of the OCI
runtime-spec, what this host cannot do, and what is legal but surely not meant, such
as a misspelled field, a mount that a later one hides, or a limit without effect.
Each finding has the path in config.json, the value, the reason and the remedy. For
example:

    $ {program} check --format json /srv/web

The status is 0 when there is no error, and 1 otherwise. Warnings alone give 0, with
--strict 1. The global options --rootless and --systemd-cgroup say how the container
is to be run.
""",
)
