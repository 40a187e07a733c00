"""The start-up pack: all modules of orlop in one file, so that a command starts some milliseconds sooner.

The launcher's way only: it starts the interpreter with orlop/boot.py, which reads the head of the pack and calls
`serve`.  A program that imports orlop as a library gets the ordinary importer.  packing.py writes it.

    orlop/__pycache__/hot.cpython-311.pack
        magic (8)   hash of what follows, of the head and of the file's size (8)   size of the head (4)
        number of hot commands (4)   for each, and for as many more as make 8: name (8), offset (4) and size (4) of its
        sources
        head: marshal of ((root, magic number), (mtime, size of this file), {command: group}, place of the index, this
        code); a group is the places of its pieces, and the rows and the place of what the command imports only for a
        config that is new to it (runtime/recall.py), and of what it imports for a container in a unit of systemd's
        pieces: marshal of (rows, code) of some of the modules that a hot command imports
        index: marshal of {module: row}
        the modules' code, each marshalled by itself and read when it is imported
        sources of each hot command, for the launcher: mtime in ns (8), size (8), path below the root, with zeros up to
        a multiple of 8

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
from _frozen_importlib_external import ExtensionFileLoader, SourceFileLoader
from _imp import extension_suffixes, source_hash
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

    # Path below the root, is it a package, mtime in ns, size; then of the code: offset after the head, length, hash.
    Row = tuple[str, bool, int, int, int, int, bytes]
    # Offset after the head, length, hash.
    Place = tuple[int, int, bytes]
    # Name, then of its source: path below the root, is it a package, mtime in ns, size.
    Source = tuple[str, str, bool, int, int]
    # The pieces of what a command imports, and what it may come to import, to plan first: which modules, and where.
    Later = tuple[tuple[Source, ...], Place]
    Group = tuple[tuple[Place, ...], tuple[Later, ...]]

# Modules in C that a hot command needs, and that are not built into every interpreter.
EXTENSIONS = ("_json",)
_READ = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW


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

    def __init__(self, root: str, place: str, start: int, index: Place, fresh: bool) -> None:
        self.root = root
        self.fresh = fresh  # no source of what the command imports has changed: the launcher has looked
        self._place = place
        self._start = start
        self._index_at = index
        self._index: dict[str, Row] | None = None
        self._later: list[Later] = []
        self._planning: Later | None = None

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
        if self._make_later(name):
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

    def let_wait(self, later: tuple[Later, ...]) -> None:
        """Of these modules, all are made when the first of them is asked for."""
        self._later = list(later)
        self._planning = later[0]

    def _make_later(self, name: str) -> bool:
        """Make all modules that wait together with this one; says whether there is such a one."""
        later = next((later for later in self._later if any(row[0] == name for row in later[0])), None)
        if later is None:
            return False
        self._later.remove(later)
        try:
            codes = self._piece(later[1])
        except (OSError, ValueError, EOFError, TypeError):
            return False
        _make(self, later[0], codes)  # type: ignore[arg-type]
        return name in sys.modules

    def unchanged(self) -> bool:
        """Do the modules that plan wait, and are their sources still what the pack was made from?"""
        planning = self._planning
        if planning is None or planning not in self._later:
            return False
        return self.fresh or all(_as_packed(self.root, row) for row in planning[0])

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
            if exists(path):
                return ModuleSpec(name, ExtensionFileLoader(name, path), origin=path)
    return None


def exists(path: str) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


_finder: PackFinder | None = None
_check = b""


def serve(root: str, place: str, start: int, index: Place, check: bytes, fresh: bool) -> None:
    """Import from the pack at `place` from now on.  boot.py has checked it and read its head, which ends at `start` and
    has the hash `check`."""
    global _finder, _check
    _finder = PackFinder(root, place, start, index, fresh)
    _check = check
    sys.meta_path.insert(0, _finder)


def code() -> bytes | None:
    """What stands for all of orlop's code, as far as it checks configs and plans; None where nothing does.

    It is the hash of the pack, if the modules that this command has not made yet are still those of the pack.
    """
    return _check if _finder is not None and _finder.unchanged() else None


def mark() -> bytes:
    """What tells this pack from others; the launcher compares it when it was told that no source has changed."""
    return _check


def preload(file: int, start: int, group: Group | None) -> None:
    """Make the modules of a group, in their order, and let those that may be needed wait.

    `file` is the pack whose head was checked: the very file, so the group is the one that the head names.
    """
    if group is None or _finder is None:
        return
    pieces, later = group
    for offset, length, _check in pieces:
        rows, codes = loads(posix.pread(file, length, start + offset))
        if not _make(_finder, rows, codes):
            return
    _finder.let_wait(later)


def _make(finder: PackFinder, rows: tuple[Source, ...], codes: tuple[CodeType, ...]) -> bool:
    """Make modules without the import system; stop at the first whose source is not what the pack was made from."""
    modules = sys.modules
    new = type(sys)
    root, fresh = finder.root, finder.fresh
    for row, code in zip(rows, codes):  # noqa: B905
        if not (fresh or _as_packed(root, row)):
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
