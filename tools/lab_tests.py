"""Runs the tests of containers on another machine, in batches: `make lab`.

    LAB="lab run --ns" python3 tools/lab_tests.py tests/system/test_systemd.py

LAB is a command that starts a machine with this directory in it as /work, and runs there what follows its `--`; with
`--user` after it, it runs that as an ordinary user.  The machine has Python, and neither a compiler nor a network: what
was built here and pytest are taken along.  One batch is one machine.  What a run has learnt is kept in build/lab until
the run is complete: after an interruption, the same command goes on, and tries again what had failed.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

TREE = Path(__file__).parent.parent
PLACE = TREE / "build/lab"
MODULES = "pytest _pytest py pluggy iniconfig packaging pygments hypothesis sortedcontainers"
BATCH = os.environ.get("LAB_SECONDS", "400")  # a batch begins no further test after that
GUEST = """
cd /work
test ! -w build/orlop.python || python3 tools/interpreter.py > build/orlop.python
build/orlop --version  # writes the pack of modules, for this place: the first test has its own time
export PYTHONPATH=/work/build/lab/site PYTHONDONTWRITEBYTECODE=1
exec python3 -m pytest -q -p no:cacheprovider -p tests.batch "$@"
"""
TOLD = re.compile(r"lab: (\w+) ('.*'|\".*\"): ('.*'|\".*\")$")
# The tests, and how LAB is to be called for them; those of an ordinary user are skipped by root.
PARTS: tuple[tuple[str, list[str], list[str]], ...] = (
    ("root", [], ["tests/system", "tests/compat"]),
    ("user", ["--user"], ["tests/system/test_rootless_cgroup.py"]),
)


class Results:
    """What a machine has told of its tests, in a file that a later run reads."""

    def __init__(self, name: str) -> None:
        self.file = PLACE / name
        self.found: dict[str, tuple[str, str]] = {}  # result and reason
        self.total = -1
        self.running = ""
        if self.file.exists():
            for line in self.file.read_text().splitlines():
                name, result, reason = ast.literal_eval(line)
                if result != "failed":
                    self.found[name] = (result, reason)

    def hear(self, what: str, name: str, reason: str) -> None:
        if what == "total":
            self.total = int(name)
        elif what == "started":
            self.running = name
        else:
            self.running = ""
            if what != "ended":
                self.record(name, what, reason)
            elif name not in self.found:
                self.record(name, "passed", "")

    def record(self, name: str, result: str, reason: str) -> None:
        self.found[name] = (result, reason)
        with self.file.open("a") as file:
            file.write(repr((name, result, reason)) + "\n")

    @property
    def complete(self) -> bool:
        return len(self.found) >= self.total >= 0


def main() -> int:
    command = shlex.split(os.environ.get("LAB") or sys.exit("set LAB to a command that runs another in a machine"))
    take_along()
    asked = sys.argv[1:]
    parts = [(*PARTS[0][:2], asked)] if asked else PARTS
    told = []
    for name, flags, tests in parts:
        key = re.sub(r"\W+", "-", " ".join([name, *command, *flags, *asked])).strip("-")
        results = Results(key[-200:])
        while not results.complete:
            if not batch([*command, *flags], tests, results):
                print(f"lab: {results.file} keeps what was learnt; the same command goes on")
                return 1
        told.append((name, results.found))
    for name, found in told:
        summary(name, found)
    for file in PLACE.iterdir():
        if file.is_file():
            file.unlink()
    return int(any(result == "failed" for _, found in told for result, _ in found.values()))


def take_along() -> None:
    shutil.rmtree(PLACE / "site", ignore_errors=True)
    for name in MODULES.split():
        source = Path(importlib.import_module(name).__file__ or "")
        if source.name == "__init__.py":
            shutil.copytree(source.parent, PLACE / "site" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, PLACE / "site" / source.name)


def batch(command: list[str], tests: list[str], results: Results) -> bool:
    """Run what is not known yet, as far as one machine gets.  False where it told nothing."""
    known = PLACE / "known"
    known.write_text("\n".join(results.found))
    before = len(results.found)
    settings = {
        "ORLOP_TEST_CYCLES": os.environ.get("ORLOP_TEST_CYCLES", "20"),
        "ORLOP_BATCH_SECONDS": BATCH,
        "ORLOP_BATCH_KNOWN": f"/work/{known.relative_to(TREE)}",
    }
    exports = "".join(f"export {name}={value}\n" for name, value in settings.items())
    argv = [*command, "--", "sh", "-c", exports + GUEST, "sh", *tests]
    other = []
    with subprocess.Popen(argv, cwd=TREE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if told := TOLD.match(line):
                what, name, reason = told.groups()
                results.hear(what, ast.literal_eval(name), ast.literal_eval(reason))
                show(what, ast.literal_eval(name), ast.literal_eval(reason))
            elif line.strip():
                other.append(line)
    if results.running and not results.complete:
        results.record(
            results.running, "failed", f"the machine ended before the test, with status {process.returncode}"
        )
    if len(results.found) > before or results.complete:
        return True
    sys.stdout.writelines(other)
    return False


def show(what: str, name: str, reason: str) -> None:
    if what == "failed":
        print(f"FAILED {name}\n{reason}", flush=True)


def summary(part: str, found: dict[str, tuple[str, str]]) -> None:
    files = sorted({name.partition("::")[0] for name in found})
    print(f"\n{part:48} passed failed skipped")
    for file in [*files, ""]:
        count = Counter(result for name, (result, _) in found.items() if name.startswith(file))
        print(f"{file or 'all':48} {count['passed']:6} {count['failed']:6} {count['skipped']:7}")
    reasons = Counter(reason for result, reason in found.values() if result == "skipped")
    for reason, number in reasons.most_common():
        where = sorted(name for name, (result, why) in found.items() if result == "skipped" and why == reason)
        print(f"skipped {number:3}: {reason}: {where[0]}{' ...' if number > 1 else ''}")
    for name, (result, _) in sorted(found.items()):
        if result == "failed":
            print(f"failed: {name}")


if __name__ == "__main__":
    sys.exit(main())
