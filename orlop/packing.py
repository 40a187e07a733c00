"""Writes the start-up pack, which pack.py describes and reads."""

from __future__ import annotations

import ast
import posix
import sys
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from _imp import source_hash
from marshal import dumps

from orlop.pack import exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

    from orlop.pack import Place, Source

MAGIC = b"orlop\0\0\7"
HOT = ("create", "delete", "exec", "kill", "run", "start", "state")
# What plans, and checks a config: needed unless the program is remembered.
_CONTAINER = (
    "orlop.spec.load",
    "orlop.spec.resources",
    "orlop.cgroup.devices",
    "orlop.plan.container",
    "orlop.program.encode",
)
_PROCESS = ("orlop.runtime.exec_process", "orlop.spec.load", "orlop.plan.join", "orlop.program.encode")
PLANNING = {"create": _CONTAINER, "run": _CONTAINER, "exec": _PROCESS}
# What else a command comes to import in the course of things.
MORE = {
    "create": ("orlop.state.brief",),
    "delete": ("orlop.spec.json",),
    "exec": ("orlop.spec.json",),
    "kill": ("orlop.runtime.signals", "orlop.spec.json"),
    "start": ("orlop.spec.json",),
    "state": ("orlop.cli.output", "orlop.spec.json"),
}
_UNIFIED = "/sys/fs/cgroup/cgroup.controllers"
_START = 24 + 8 * 16  # where the head begins
_ANNOTATIONS = 0x1000000  # CO_FUTURE_ANNOTATIONS: they are text
_NEW = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC | posix.O_NOFOLLOW
# A group is read in pieces of about so many bytes, which all take the same memory: new pages cost more than reading.
_PIECE = 48 * 1024


def write(root: str) -> str | None:
    """Write the pack of the package below `root` and return its path, or None if the place is not ours to write."""
    directory = f"{root}/orlop/__pycache__"
    place = f"{directory}/hot.{sys.implementation.cache_tag}.pack"
    temporary = f"{place}.{posix.getpid()}"
    try:
        try:
            posix.mkdir(directory, 0o755)
        except FileExistsError:
            pass
        owned = posix.stat(directory)
        if owned.st_uid not in (0, posix.geteuid()) or owned.st_mode & 0o22:
            return None
        file = posix.open(temporary, _NEW, 0o644)
    except OSError:
        return None
    try:
        SourceFileLoader("orlop.boot", f"{root}/orlop/boot.py").get_code(
            "orlop.boot"
        )  # writes the .pyc, for the launcher
        with open(file, "wb") as out:
            out.write(_contents(root))
        posix.rename(temporary, place)
    except BaseException as error:
        posix.unlink(temporary)
        if isinstance(error, OSError):
            return None  # the disk is full, say: a pack is only a short cut
        raise
    return place


def _contents(root: str) -> bytes:
    rows: dict[str, tuple[str, bool, int, int]] = {}
    needs: dict[str, list[str]] = {}
    codes: dict[str, CodeType] = {}
    for name, path, package in _modules(f"{root}/orlop", "orlop"):
        now = posix.stat(path)
        try:
            tree, codes[name] = _compiled(path)
        except (SyntaxError, ValueError):
            continue  # the ordinary importer will say it, if anybody imports this
        rows[name] = (path[len(root) + 1 :], package, now.st_mtime_ns, now.st_size)
        needs[name] = _imported(tree)
    body = bytearray()

    def put(value: object) -> Place:
        data = dumps(value)  # type: ignore[arg-type]
        place = (len(body), len(data), source_hash(len(body), data))
        body.extend(data)
        return place

    def sources(names: tuple[str, ...]) -> tuple[Source, ...]:
        return tuple((name, *rows[name]) for name in names)

    placed: dict[tuple[str, ...], Place] = {}

    def together(names: tuple[str, ...]) -> Place:
        if names not in placed:
            placed[names] = put(tuple(codes[name] for name in names))
        return placed[names]

    groups = {}
    listed = {}
    for command in HOT:
        first = tuple(_order(_roots(command), needs))
        planning = tuple(_order(PLANNING.get(command, ()), needs))
        unit = tuple(_order(_unit(), needs))
        then = [tuple(name for name in names if name not in first) for names in (planning, unit)]
        later = tuple((sources(names), together(names)) for names in then)
        pieces = [(sources(names), tuple(codes[name] for name in names)) for names in _pieces(first, codes)]
        groups[command] = (tuple(put(piece) for piece in pieces), later)
        listed[command] = _listed(rows[name] for name in dict.fromkeys(("orlop.pack", *first, *planning, *unit)))
    index = put({name: (*row, *put(codes[name])) for name, row in rows.items()})
    head = dumps(((root, MAGIC_NUMBER), rows["orlop.pack"][2:], groups, index, dumps(codes["orlop.pack"])))
    table = _number(len(listed))
    at = _START + len(head) + len(body)
    for command, each in listed.items():
        table += command.encode().ljust(8, b"\0") + _number(at) + _number(len(each))
        at += len(each)
    table = table.ljust(_START - 20, b"\0")
    return b"".join([MAGIC, source_hash(at, table + head), _number(len(head)), table, head, body, *listed.values()])


def _listed(rows: Iterable[tuple[str, bool, int, int]]) -> bytes:
    """Sources as the launcher reads them."""
    out = bytearray()
    for path, _package, mtime, size in rows:
        out += mtime.to_bytes(8, "little") + size.to_bytes(8, "little") + path.encode() + b"\0"
        out += bytes(-len(out) % 8)
    return bytes(out)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _pieces(names: tuple[str, ...], codes: dict[str, CodeType]) -> Iterator[tuple[str, ...]]:
    """These modules in their order, as many at a time as make a piece."""
    piece: list[str] = []
    size = 0
    for name in names:
        piece.append(name)
        size += len(dumps(codes[name]))
        if size > _PIECE:
            yield tuple(piece)
            piece, size = [], 0
    yield tuple(piece)


def _imported(tree: ast.Module) -> list[str]:
    """The modules of orlop that a module imports when it is run, in its order.

    `from a import b` may mean a module b: both are named, and what is none is passed over later.
    """
    found = []
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module:
            found += [statement.module, *(f"{statement.module}.{alias.name}" for alias in statement.names)]
        elif isinstance(statement, ast.Import):
            found += [alias.name for alias in statement.names]
    return [each for each in found if each.partition(".")[0] == "orlop"]


def _roots(command: str) -> list[str]:
    """What a hot command imports in the course of things: its own file, its runtime's, and what every config needs."""
    always = ["orlop.__main__", "orlop.cli.main", "orlop.cli.options", "orlop.runtime.options"]
    return [*always, *_cgroups(command), *MORE.get(command, ()), f"orlop.cli.{command}", f"orlop.runtime.{command}"]


def _cgroups(command: str) -> list[str]:
    """What a command needs for the cgroups of this host.  On another one it is found when it is asked for."""
    common = ["orlop.cgroup.choose", "orlop.host.cgroups"]
    if command not in ("create", "run"):
        common += ["orlop.cgroup.freezer"]
    if exists(_UNIFIED):
        return [*common, "orlop.cgroup.v2"]
    return [*common, "orlop.host.mountinfo", "orlop.cgroup.v1"]


def _unit() -> list[str]:
    """What a container in a unit of systemd's takes."""
    return ["orlop.cgroup.systemd_choice", f"orlop.cgroup.systemd_v{2 if exists(_UNIFIED) else 1}"]


def _order(names: Iterable[str], needs: dict[str, list[str]]) -> Iterator[str]:
    """These modules and all that they need, each after what it needs: as importing them would run them."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in done or name not in needs:
            return
        done.add(name)
        parent = name.rpartition(".")[0]
        for each in (parent, *needs[name]):
            yield from visit(each)
        yield name

    for name in names:
        yield from visit(name)


def _compiled(path: str) -> tuple[ast.Module, CodeType]:
    """Tree and code of a module, without docstrings, asserts and what only a type checker reads: a tenth of it."""
    with open(path, "rb") as file:
        tree: ast.Module = ast.fix_missing_locations(_Bare().visit(ast.parse(file.read(), path)))
    return tree, compile(tree, path, "exec", flags=_ANNOTATIONS, dont_inherit=True, optimize=2)


class _Bare(ast.NodeTransformer):
    """Drops `if TYPE_CHECKING`, the annotations of functions and variables, and the statement that makes annotations
    text, which would import a module.  The members of a class keep theirs: some classes live by them."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        takes = node.args
        for each in (*takes.posonlyargs, *takes.args, *takes.kwonlyargs, takes.vararg, takes.kwarg):
            if each is not None:
                each.annotation = None
        node.returns = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.body = [each if isinstance(each, ast.AnnAssign) else self.visit(each) for each in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt]:
        self.generic_visit(node)
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse or ast.copy_location(ast.Pass(), node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node) if node.module == "__future__" else node


def _modules(directory: str, package: str) -> Iterator[tuple[str, str, bool]]:
    for entry in sorted(posix.scandir(directory), key=lambda entry: entry.name):
        stem, dot, suffix = entry.name.rpartition(".")
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _modules(entry.path, f"{package}.{entry.name}")
        elif dot and suffix == "py":
            name = package if stem == "__init__" else f"{package}.{stem}"
            yield name, entry.path, stem == "__init__"


if __name__ == "__main__":
    # `python3 -m orlop.packing`: what `make` and a distribution's package do once.
    place = write(__file__.removesuffix("/orlop/packing.py"))
    print(place or "no pack: orlop/__pycache__ is not ours alone to write")
