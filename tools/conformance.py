"""Prints docs/conformance.md, from the table of fields and from tests/conformance.py."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from orlop.spec.table import Row, rows  # noqa: E402
from tests.conformance import FIELDS, LISTED, OPEN, RULES, shown_by  # noqa: E402

HEAD = """\
# Conformance

Every field of config.json that the OCI runtime-spec 1.3 defines for Linux, and every rule that it states, with the
test that shows what orlop does. Made by tools/conformance.py from the very table by which configs are read; do not
edit it by hand.

`orlop check` says of a bundle which of these rules it breaks.
"""


def page() -> str:
    lines = [
        HEAD,
        "## Fields",
        "",
        "| field | kind | required | since | specified in | shown by |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_field(row) for row in rows()]
    lines += ["", "## Rules", "", "| rule | says | shown by |", "|---|---|---|"]
    for rule, tests in sorted(shown_by().items(), key=lambda item: _order(item[0])):
        lines.append(f"| {rule} | {_says(rule)} | {', '.join(map(_test, tests))} |")
    lines += ["", "## Not to be shown by a test", "", "| rule | why |", "|---|---|"]
    lines += [f"| {rule} | {why} |" for rule, why in OPEN.items()]
    return "\n".join(lines) + "\n"


def _says(rule: str) -> str:
    if rule in LISTED:
        return "must be refused" if rule.startswith("17.") else "must be tolerated"
    return RULES[rule]


def of_field(path: str) -> str:
    """The test of a field, or of what is around it."""
    while path not in FIELDS:
        path = re.sub(r"(\[\]|\{\}|\.?[^.\[\]{}]+)$", "", path)
    return FIELDS[path]


def _field(row: Row) -> str:
    required = "yes" if row.required else ""
    return f"| `{row.path}` | {row.name} | {required} | {row.since} | {row.source} | {_test(of_field(row.path))} |"


def _test(name: str) -> str:
    file, _, function = name.partition("::")
    where = f"[{file}](../tests/{file})"
    return where if function == "*" else f"{where} `{function}`"


def _order(rule: str) -> tuple[str, int]:
    name, _, number = re.sub(r"(?<=[A-Z])(?=\d)", "-", rule).replace(".", "-").rpartition("-")
    return name, int(number)


if __name__ == "__main__":
    (ROOT / "docs/conformance.md").write_text(page(), "utf-8")
