"""Programs that were planned before: the same config on the same host needs no second check and no second plan.

    <cache>/programs/<hash of the question>                     of containers, see host/cache.py
    <root>/<id>/programs/<hash of the question>                 of further processes in one (runtime/exec_planning.py)
        magic (8)   hash of the rest (8)   marshal of (question, spec, inputs, doubts, seccomp filter, program, places
        of the id in it, lines for devices.allow and devices.deny)

The *question* is what is asked before the config is read: its bytes, the bundle, the options, our own code.  The
*inputs* are all that the planner is given beside the config.  Both are kept whole and compared whole, so that nobody
who chooses a config can make one that passes for another.  The *doubts* are what will be otherwise than the config asks
for, and follow from both: who recalls a program is warned of them too.

They are kept in files only where the pack of modules tells what our own code is.  A program that imports orlop has
loaded it for good, and keeps in its memory what it comes to plan a second time.

A program depends on the container's id, but only as text: it is planned once more for an id of FILLER, a character that
no id has, and where the two programs differ the next id of that length goes.
"""

from __future__ import annotations

import sys
from _imp import source_hash
from marshal import dumps, loads

from orlop import system as os
from orlop.host.cache import Directory, hashed, place, unhashed
from orlop.plan.facts import SeccompFilter
from orlop.runtime.seccomp import seccomp_filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orlop.cgroup.base import DeviceLines
    from orlop.program.ops import Program
    from orlop.runtime.options import Options
    from orlop.spec.types import Spec

    Question = tuple[object, ...]

FILLER = "~"
MAGIC = b"orlopgm\4"
_MOST = 64  # entries; one is about 60 KB
_LOADED = b""  # stands for our code where it is what this process has loaded
_memory: dict[Question, bytes] = {}  # the oldest first; nothing yet for a question that was asked once


class Recalled:
    """A program for the executor, without what an error message needs: that is planned when there is an error."""

    __slots__ = ("_encoded", "architecture", "control", "places", "planned", "scratch")

    def __init__(
        self,
        encoded: bytes,
        scratch: int,
        control: int,
        architecture: str,
        places: list[int],
        planned: Callable[[], Program],
    ) -> None:
        """`places`: where in it the container's id is."""
        self._encoded = encoded
        self.places = places
        self.scratch = scratch
        self.control = control
        self.architecture = architecture
        self.planned = planned

    def encoded(self) -> bytes:
        """Its binary form."""
        return self._encoded


class Entry:
    """What is remembered for a question; `spec` is the config, read and checked, and in a further process's also its
    process object; `filter` is that of its linux.seccomp, `device_lines` those of its cgroup."""

    __slots__ = ("_inputs", "_places", "_program", "device_lines", "doubts", "filter", "spec")

    def __init__(
        self,
        spec: Spec,
        inputs: object,
        doubts: tuple[str, ...],
        filter_: tuple[bytes, int, bytes] | None,
        program: tuple[bytes, int, int, str],
        places: list[int],
        device_lines: DeviceLines | None,
    ) -> None:
        self.spec = spec
        self.doubts = doubts
        self.filter = SeccompFilter(*filter_) if filter_ is not None else None
        self.device_lines = device_lines
        self._inputs = inputs
        self._program = program
        self._places = places

    def program(self, inputs: object, container_id: str, planned: Callable[[], Program]) -> Recalled | None:
        """The program for a container of this id, if the planner would be given the same inputs."""
        if inputs != self._inputs:
            return None
        encoded, scratch, control, architecture = self._program
        text = container_id.encode()
        image = bytearray(encoded)
        for at in self._places:
            image[at : at + len(text)] = text
        return Recalled(bytes(image), scratch, control, architecture, self._places, planned)


class Sought:
    """A program that is asked for: the one that is remembered, if it was planned from the same inputs, or a new one.

    `filter` is that of linux.seccomp of its config.  `doubts` are what will be otherwise than it was asked for, and
    known when there is the program.
    """

    __slots__ = ("_asked", "_container_id", "_entry", "_inputs", "_made", "_options", "doubts", "filter")

    def __init__(
        self, spec: Spec, asked: Question | None, entry: Entry | None, container_id: str, options: Options
    ) -> None:
        self.filter = seccomp_filter(spec, options, entry.filter if entry is not None else None)
        self._asked = asked
        self._entry = entry
        self._container_id = container_id
        self._options = options
        self._inputs: object = None
        self._made: Program | None = None
        self.doubts: tuple[str, ...] = ()

    def program(self) -> Program | Recalled:
        """The program for the executor."""
        if self._asked is not None:
            self._inputs = self.inputs()
            if self._entry is not None:
                found = self._entry.program(self._inputs, self._container_id, self.planned)
                if found is not None:
                    self._options.log("debug", "program recalled")
                    self.doubts = self._entry.doubts
                    return found
        self.doubts = tuple(self.doubted())
        self._made = self.planned()
        return self._made

    @property
    def recalled(self) -> bool:
        """Was the program that was asked for remembered?"""
        return self._made is None

    def remember(self) -> None:
        """Keep the program for the next time, if it was not recalled.  Takes as long as planning: best done while the
        process runs."""
        if self._asked is not None and self._made is not None and worth_it(self._asked):
            self.keep(self._asked, self._made)

    def holds(self) -> bool:
        """Is all that the planner was given still so?"""
        return self.inputs() == self._inputs

    def inputs(self) -> object:
        """All that the planner is given beside the config, in a form to be compared and kept."""
        raise NotImplementedError

    def planned(self) -> Program:
        """The program, planned."""
        raise NotImplementedError

    def doubted(self) -> Iterator[str]:
        """The doubts, from config and host."""
        raise NotImplementedError

    def keep(self, asked: Question, made: Program) -> None:
        """Keep a program that was planned."""
        raise NotImplementedError


def question(container_id: str, bundle: str, config: bytes, options: Options, fifo: bool) -> Question | None:
    """What a program is looked up by; None where it is not worth it, or not possible.

    A config that holds the id was written for this one container, as engines do, and will not come again.  A pre-draft
    config, and one to which a socket is added, are not planned as they are.  Where a pack is used and no longer fits,
    nobody knows what our code is.
    """
    code = own_code()
    text = container_id.encode()
    if code is None or options.times or options.notify_socket or (options.rootless or os.geteuid()):
        return None
    if text in config or text in os.fsencode(bundle) or b"pre-draft" in config:
        return None
    wishes = (options.root, options.no_pivot, options.no_new_keyring, options.preserve_fds, options.systemd_cgroup)
    return (code, len(text), fifo, options.listen_fds, wishes, bundle, config)


def own_code() -> bytes | None:
    """What stands for our own code in a question; None where a pack of modules is used and no longer fits."""
    pack = sys.modules.get("orlop.pack")
    if pack is None:
        return _LOADED
    code: bytes | None = pack.code()
    return code


def recall(asked: Question, kept: str) -> Entry | None:
    """What is remembered for a question in the directory `kept`.  Silent about files that are missing, damaged or
    strange."""
    try:
        if asked[0] == _LOADED:
            data = _memory.get(asked, b"")
        else:
            with Directory(kept) as directory:
                data = unhashed(MAGIC, 0, directory.read(_name(asked)))
        known, *found = loads(data)
    except (OSError, ValueError, EOFError, TypeError):
        return None
    return Entry(*found) if known == asked else None


def remember(
    asked: Question,
    inputs: object,
    doubts: tuple[str, ...],
    filter_: SeccompFilter | None,
    container_id: str,
    program: Program,
    filled: Program,
    device_lines: DeviceLines | None,
) -> None:
    """Keep a container's program; `filled` is the same planned for an id of FILLER."""
    from orlop.program.encode import encode
    from orlop.spec.json import parse

    places = differences(encode(program), encode(filled), container_id)
    if places is not None and program.scratch == filled.scratch:
        spec = parse(_config(asked), "")
        keep(asked, spec, inputs, doubts, filter_, filled, place("programs"), _MOST, places, device_lines, above=True)


def keep(
    asked: Question,
    spec: object,
    inputs: object,
    doubts: tuple[str, ...],
    filter_: SeccompFilter | None,
    program: Program,
    kept: str,
    most: int,
    places: Sequence[int] = (),
    device_lines: DeviceLines | None = None,
    *,
    above: bool = False,
) -> None:
    """Keep a program in the directory `kept`, which holds `most` of them.  It is made, and with `above` the one that it
    is in.  Silent where that is not possible."""
    from orlop.program.encode import encode

    encoded = (encode(program), program.scratch, program.control, program.architecture)
    made = (filter_.program, filter_.flags, filter_.maker) if filter_ is not None else None
    try:
        entry = dumps((asked, spec, inputs, doubts, made, encoded, places, device_lines))  # type: ignore[arg-type]
        if asked[0] == _LOADED:
            _memory[asked] = entry
            return
        with Directory(kept, make=True, above=above, most=most) as directory:
            directory.make_room()
            directory.write(_name(asked), hashed(MAGIC, 0, entry))
    except (OSError, ValueError):
        return


def worth_it(asked: Question) -> bool:
    """Tell whether to `remember` a program.  To keep it takes as long as to plan it: in memory, which may not last,
    that is done for a question that comes again."""
    if asked[0] != _LOADED or asked in _memory:
        return True
    while len(_memory) >= _MOST:
        _memory.pop(next(iter(_memory), asked), None)  # another thread may have been here
    _memory[asked] = b""
    return False


def differences(made: bytes, template: bytes, container_id: str) -> list[int] | None:
    """Where the id is in a program that was planned for it and for a filler; None if they differ in more than that."""
    text = container_id.encode()
    filler = FILLER.encode() * len(text)
    if len(made) != len(template):
        return None
    places = []
    at = template.find(filler)
    while at >= 0:
        if made[at : at + len(text)] == text:
            places.append(at)
            at = template.find(filler, at + len(text))
        else:
            at = template.find(filler, at + 1)  # a tilde of the config
    check = bytearray(template)
    for at in places:
        check[at : at + len(text)] = text
    return places if bytes(check) == made else None


def plain(value: object) -> object:
    """Objects with slots, and lists, as tuples of what is in them, so that they can be compared and kept."""
    slots = getattr(type(value), "__slots__", None)
    if slots is not None and not isinstance(value, (str, bytes, int)):
        return tuple(plain(getattr(value, name)) for name in slots)
    if isinstance(value, (tuple, list)):
        return tuple(plain(each) for each in value)
    return value


def _name(asked: Question) -> str:
    return source_hash(hash_of_rest(asked), _config(asked)).hex()


def _config(asked: Question) -> bytes:
    config = asked[-1]
    assert isinstance(config, bytes)
    return config


def hash_of_rest(asked: Question) -> int:
    """A number for everything of a question but the config: two questions may share it, a file then serves one."""
    return int.from_bytes(source_hash(0, repr(asked[:-1]).encode("utf-8", "surrogateescape")), "little") >> 1
