"""Calls that the package may not make.  ruff bans names it can resolve (pyproject.toml); this sees the rest."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.meta.sources import modules

REASONS = {
    "fork": "Python never runs in a container's namespaces, and a fork is unsafe in programs with threads",
    "forkpty": "as fork",
    "preexec_fn": "as fork",
    "unshare": "only the executor changes its namespaces",
    "setns": "only the executor changes its namespaces",
    "chroot": "only the executor changes its root",
    "realpath": "paths below a rootfs are resolved by the kernel, others are opened as they are",
    "rmtree": "state is removed by name: nothing unknown is deleted",
    "system": "it runs a shell",
}

# (module, call): why it may.
ALLOWED = {
    ("orlop.cli.spec", "realpath"): "of the host's own directories, by `spec --host`, before there is a container",
}

# A helper of the system is found and run as a shell would: with the caller's PATH and environment.
MAY_READ_THE_ENVIRONMENT = ("orlop.runtime.idmap",)

# Only these may print, read the environment, or exit (design: what runs where).
OUTSIDE = (
    "orlop.cli", "orlop.boot", "orlop.__main__", "orlop.pack", "orlop.packing", "orlop.system", "orlop.executor.header",
)  # fmt: skip


def calls(module: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr, node.lineno
            for keyword in node.keywords:
                if keyword.arg == "preexec_fn":
                    yield "preexec_fn", node.lineno


@pytest.mark.parametrize("name", REASONS)
def test_a_banned_call_is_not_made(name: str) -> None:
    made = [
        f"{module}:{line} calls {name}: {REASONS[name]}"
        for module in modules()
        for call, line in calls(module)
        if call == name and (module, name) not in ALLOWED
    ]
    assert made == []


INSIDE = [name for name in modules() if not name.startswith((*OUTSIDE, *MAY_READ_THE_ENVIRONMENT))]


@pytest.mark.parametrize("module", INSIDE)
def test_only_the_command_line_prints_exits_and_reads_the_environment(module: str) -> None:
    seen = []
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "exit", "sys.exit", "os._exit", "input"):
            seen.append(f"{module}:{node.lineno} calls {ast.unparse(node.func)}")
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"):
            seen.append(f"{module}:{node.lineno} reads the environment")
    assert seen == []
