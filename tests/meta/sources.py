"""The sources of the package, parsed once for all tests of this folder."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "orlop"


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Return {dotted name: tree} of every module of the package."""
    return {dotted(path): ast.parse(path.read_text("utf-8"), str(path)) for path in sorted(PACKAGE.rglob("*.py"))}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """Return the room that a module is in: `plan` of orlop.plan.mounts, `errors` of orlop.errors, "" of orlop."""
    return module.split(".")[1] if "." in module else ""


class Import:
    """One imported module: where, whether only a type checker sees it, and whether at the top or in a function."""

    def __init__(self, importer: str, line: int, name: str, *, typing: bool, at_top: bool) -> None:
        self.importer = importer
        self.line = line
        self.name = name
        self.typing = typing
        self.at_top = at_top

    def __repr__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.name}"


def imports(module: str) -> Iterator[Import]:
    """Yield what a module imports, at its top and in functions; `from a import b` gives a.b where that is a module."""
    yield from _imports(module, modules()[module], typing=False, at_top=True)


def _imports(module: str, node: ast.AST, *, typing: bool, at_top: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(module, child.lineno, alias.name, typing=typing, at_top=at_top)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{module}:{child.lineno}: a relative import"
            for alias in child.names:
                full = f"{child.module}.{alias.name}"
                name = full if full in modules() else str(child.module)
                yield Import(module, child.lineno, name, typing=typing, at_top=at_top)
        elif isinstance(child, ast.If) and _is_type_checking(child.test):
            yield from _imports(module, ast.Module(child.body, []), typing=True, at_top=at_top)
            yield from _imports(module, ast.Module(child.orelse, []), typing=typing, at_top=at_top)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(module, child, typing=typing, at_top=at_top and not inside)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
