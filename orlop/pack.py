"""The start-up pack: all modules of orlop in one file, so that a command starts some milliseconds sooner.

The launcher's way only: it starts the interpreter with launcher/boot.py, which reads the head of the pack and calls
`serve`.  A program that imports orlop as a library gets the ordinary importer.

    orlop/__pycache__/hot.cpython-311.pack
        magic (8)   hash of the head and of the file's size (8)   size of the head (4)
        head: marshal of ((root, magic number, mtime, size of this file), {command: place}, place of the index, this
        code)
        groups: for each hot command, marshal of (rows, code) of the modules it imports, then the rows of those that it
        imports only for a config that is new to it (runtime/recall.py), and where their code is
        index: marshal of {module: row}
        the modules' code, each marshalled by itself and read when it is imported

The import system takes longer to find a module than the module takes to run.  So the modules that a hot command imports
are not imported: `preload` makes them, in an order in which each finds those it needs, from the bytes that are read
anyway.

A pack is trusted as a .pyc is, with the same checks and two more: a module whose source has another mtime or size is
left to the ordinary importer; the head and each module that is read by itself are hashed, because another process may
replace the file between two reads; and a directory or file that someone other than root or us can write to is
neither used nor written. A pack that does not fit is ignored and removed, and the next command writes it again.
"""

from __future__ import annotations

import posix
import sys

# Not `importlib` and `os`: the same without the cost of importing a module written in Python.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, ExtensionFileLoader, SourceFileLoader
from _imp import extension_suffixes, source_hash
from marshal import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import CodeType, ModuleType

    # Path below the root, is it a package, mtime in ns, size; then of the code: offset after the head, length, hash.
    Row = tuple[str, bool, int, int, int, int, bytes]
    # Offset after the head, length, hash.
    Place = tuple[int, int, bytes]
    # Name, then of its source: path below the root, is it a package, mtime in ns, size.
    Source = tuple[str, str, bool, int, int]

MAGIC = b"orlop\0\0\4"
HOT = ("create", "delete", "exec", "kill", "run", "start", "state")
# What plans a container, and checks its config: needed unless the program is remembered.
PLANNING = ("orlop.spec.load", "orlop.spec.resources", "orlop.plan.container", "orlop.program.encode")
PLANNERS = ("create", "run")
# What else a command comes to import in the course of things.
MORE = {
    "exec": ("orlop.program.encode",),
    "kill": ("orlop.cli.signals",),
    "state": ("orlop.cli.output",),
}
# Modules in C that a hot command needs, and that are not built into every interpreter.
EXTENSIONS = ("_json",)
_FUTURE = b"\nfrom __future__ import annotations\n"
_ANNOTATIONS = 0x1000000  # CO_FUTURE_ANNOTATIONS
_READ = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW
_NEW = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC | posix.O_NOFOLLOW


class PackLoader(SourceFileLoader):
    """Loads a module's code from the pack; everything else (source, data, reloading) is the ordinary loader's."""

    def __init__(self, name: str, path: str, place: str, start: int, row: Row) -> None:
        super().__init__(name, path)
        self._place = place
        self._start = start
        self._row = row

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code, from the pack if that still holds what its index says."""
        *_, offset, length, check = self._row
        try:
            # Opened for each module: a descriptor that stayed open could be taken for one that the caller preserves.
            file = posix.open(self._place, _READ)
            try:
                data = posix.pread(file, length, self._start + offset)
            finally:
                posix.close(file)
            if source_hash(offset, data) == check:
                code: CodeType = loads(data)
                return code
        except (OSError, ValueError, EOFError, TypeError):
            pass
        return super().get_code(fullname)


class PackFinder:
    """Finds the modules of the pack, and nothing else.  The index is read when it is first asked."""

    def __init__(self, root: str, place: str, start: int, index: Place) -> None:
        self.root = root
        self._place = place
        self._start = start
        self._index_at = index
        self._index: dict[str, Row] | None = None
        self._later: tuple[tuple[Source, ...], Place] | None = None

    def _row(self, name: str) -> Row | None:
        if self._index is None:
            try:
                self._index = self._piece(self._index_at)  # type: ignore[assignment]
            except (OSError, ValueError, EOFError, TypeError):
                self._index = {}
        index = self._index or {}
        return index.get(name)

    def _piece(self, at: Place) -> object:
        """A marshalled part of the file.  Raises OSError, and ValueError where it is not what it was."""
        offset, length, check = at
        file = posix.open(self._place, _READ)
        try:
            data = posix.pread(file, length, self._start + offset)
        finally:
            posix.close(file)
        if source_hash(offset, data) != check:
            raise ValueError("damaged")
        found: object = loads(data)
        return found

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is, or None if the pack does not have it as its source is now."""
        if self._later is not None and self._make_later(name):
            return ModuleSpec(name, _Made(), origin=sys.modules[name].__file__)  # type: ignore[arg-type]
        if name in EXTENSIONS:
            return _extension(name)
        if not name.startswith("orlop"):
            return None
        row = self._row(name)
        if row is None:
            self._forget()  # a module that is new since the pack was written
            return None
        source = f"{self.root}/{row[0]}"
        try:
            now = posix.stat(source)
        except OSError:
            now = None
        if now is None or now.st_mtime_ns != row[2] or now.st_size != row[3]:
            self._forget()
            return None
        loader = PackLoader(name, source, self._place, self._start, row)
        spec = ModuleSpec(name, loader, origin=source, is_package=row[1])
        if row[1]:
            spec.submodule_search_locations = [source.rpartition("/")[0]]
        spec.has_location = True
        spec.cached = self._place
        return spec

    def let_wait(self, later: tuple[tuple[Source, ...], Place] | None) -> None:
        """These modules are made when the first of them is asked for."""
        self._later = later

    def _make_later(self, name: str) -> bool:
        """Make all modules that wait for the first that is asked for; says whether this one was among them."""
        rows, place = self._later or ((), (0, 0, b""))
        if not any(row[0] == name for row in rows):
            return False
        self._later = None
        try:
            codes = self._piece(place)
        except (OSError, ValueError, EOFError, TypeError):
            return False
        _make(self.root, rows, codes)  # type: ignore[arg-type]
        return name in sys.modules

    def unchanged(self) -> bool:
        """Are the sources of the modules that wait still what the pack was made from?"""
        return self._later is not None and all(_as_packed(self.root, row) for row in self._later[0])

    def _forget(self) -> None:
        try:
            posix.unlink(self._place)
        except OSError:
            pass


class _Made:
    """The loader of a module that is already there."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """It has been run."""


def _extension(name: str) -> ModuleSpec | None:
    """Find a module in C where the interpreter has those of its own; the import system lists directories for it."""
    for directory in sys.path:
        if directory.endswith("/lib-dynload"):
            path = f"{directory}/{name}{extension_suffixes()[0]}"
            if _exists(path):
                return ModuleSpec(name, ExtensionFileLoader(name, path), origin=path)
    return None


def _exists(path: str) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


_finder: PackFinder | None = None
_check = b""


def serve(root: str, place: str, start: int, index: Place, check: bytes) -> None:
    """Import from the pack at `place` from now on.  boot.py has checked it and read its head, which ends at `start` and
    has the hash `check`."""
    global _finder, _check
    _finder = PackFinder(root, place, start, index)
    _check = check
    sys.meta_path.insert(0, _finder)


def code() -> bytes | None:
    """What stands for all of orlop's code, as far as it checks configs and plans; None where nothing does.

    It is the hash of the pack, if the modules that this command has not made yet are still those of the pack.
    """
    return _check if _finder is not None and _finder.unchanged() else None


def preload(file: int, start: int, group: Place | None) -> None:
    """Make the modules of a group, in their order, and let those that may be needed wait.

    `file` is the pack whose head was checked: the very file, so the group is the one that the head names.
    """
    if group is None or _finder is None:
        return
    rows, codes, later = loads(posix.pread(file, group[1], start + group[0]))
    if _make(_finder.root, rows, codes):
        _finder.let_wait(later)


def _make(root: str, rows: tuple[Source, ...], codes: tuple[CodeType, ...]) -> bool:
    """Make modules without the import system; stop at the first whose source is not what the pack was made from."""
    modules = sys.modules
    new = type(sys)
    for row, code in zip(rows, codes):  # noqa: B905
        if not _as_packed(root, row):
            return False  # the finder will see it too
        name, path, package, _mtime, _size = row
        source = f"{root}/{path}"
        module = modules[name] = new(name)
        inside = module.__dict__
        inside["__file__"] = source
        parent, _, last = name.rpartition(".")
        if package:
            inside["__path__"] = [source.rpartition("/")[0]]
        inside["__package__"] = name if package else parent
        try:
            exec(code, inside)
        except BaseException:
            del modules[name]
            return False  # whoever imports it gets the error
        if parent:
            setattr(modules[parent], last, module)
    return True


def _as_packed(root: str, row: Source) -> bool:
    try:
        now = posix.stat(f"{root}/{row[1]}")
    except OSError:
        return False
    return now.st_mtime_ns == row[3] and now.st_size == row[4]


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
            source, codes[name] = _compiled(path)
        except (SyntaxError, ValueError):
            continue  # the ordinary importer will say it, if anybody imports this
        rows[name] = (path[len(root) + 1 :], package, now.st_mtime_ns, now.st_size)
        needs[name] = _imported(source)
    body = bytearray()

    def put(value: object) -> Place:
        data = dumps(value)  # type: ignore[arg-type]
        place = (len(body), len(data), source_hash(len(body), data))
        body.extend(data)
        return place

    def sources(names: tuple[str, ...]) -> tuple[Source, ...]:
        return tuple((name, *rows[name]) for name in names)

    groups = {}
    for command in HOT:
        first = tuple(_order(_roots(command), needs))
        then = tuple(name for name in _order(PLANNING, needs) if name not in first) if command in PLANNERS else ()
        later = (sources(then), put(tuple(codes[name] for name in then))) if then else None
        groups[command] = put((sources(first), tuple(codes[name] for name in first), later))
    index = put({name: (*row, *put(codes[name])) for name, row in rows.items()})
    made_from = (root, MAGIC_NUMBER, *rows["orlop.pack"][2:])
    head = dumps((made_from, groups, index, dumps(codes["orlop.pack"])))
    length = len(head).to_bytes(4, "little")
    check = source_hash(len(MAGIC) + 8 + len(length) + len(head) + len(body), head)
    return b"".join([MAGIC, check, length, head, body])


def _imported(source: bytes) -> list[str]:
    """The modules of orlop that a module imports when it is run, in its order; not those under `if TYPE_CHECKING`.

    `from a import b` may mean a module b: both are named, and what is none is passed over later.
    """
    import ast  # only who writes a pack pays for it

    found = []
    for statement in ast.parse(source).body:
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
    if command not in PLANNERS:
        common += ["orlop.cgroup.freezer"]
    if _exists("/sys/fs/cgroup/cgroup.controllers"):
        return [*common, "orlop.cgroup.v2"]
    rules = ["orlop.cgroup.devices"] if command in PLANNERS else []
    return [*common, "orlop.host.mountinfo", "orlop.cgroup.v1", *rules]


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


def _compiled(path: str) -> tuple[bytes, CodeType]:
    """Source and code, without docstrings and asserts, with the flag for what `from __future__ import annotations`
    says: the statement would import a module."""
    with open(path, "rb") as file:
        source = file.read()
    if _FUTURE not in source:
        return source, compile(source, path, "exec", dont_inherit=True, optimize=2)
    bare = source.replace(_FUTURE, b"\n\n", 1)
    return source, compile(bare, path, "exec", flags=_ANNOTATIONS, dont_inherit=True, optimize=2)


def _modules(directory: str, package: str) -> Iterator[tuple[str, str, bool]]:
    for entry in sorted(posix.scandir(directory), key=lambda entry: entry.name):
        stem, dot, suffix = entry.name.rpartition(".")
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _modules(entry.path, f"{package}.{entry.name}")
        elif dot and suffix == "py":
            name = package if stem == "__init__" else f"{package}.{stem}"
            yield name, entry.path, stem == "__init__"


if __name__ == "__main__":
    # `python3 -m orlop.pack`: what `make` and a distribution's package do once.
    print(
        write(__file__.removesuffix("/orlop/pack.py")) or "orlop/__pycache__ is not ours alone to write: no pack made"
    )
