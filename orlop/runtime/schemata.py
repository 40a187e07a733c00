"""The part of `update` that is about caches and memory bandwidth: new lines for the container's group of resctrl."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import ConfigError, OrlopError
from orlop.host.mountinfo import read
from orlop.host.resctrl import place, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.state.store import Record

# The directories of info/ that say that the kernel can do it, what is said when there is none of them.
_NEEDS = (
    (("L3", "L3CODE", "L3DATA"), "Intel RDT/CAT: l3 cache schema is not enabled"),
    (("MB",), "Intel RDT/MBA: memory bandwidth schema is not enabled"),
)
_HINT = "this takes a processor with the feature, and resctrl mounted on /sys/fs/resctrl"


class Schemata:
    """New schemata of one container's group; the file can be put back as it was."""

    __slots__ = ("_before", "_file", "_lines", "_root")

    def __init__(self, record: Record, l3_cache_schema: str, mem_bw_schema: str, proc: str = "/proc") -> None:
        """Check that the kernel and the container can have them.  Raises OrlopError."""
        try:
            self._root = place(proc)
        except ConfigError:
            self._root = ""
        schemas = (l3_cache_schema, mem_bw_schema)
        for schema, (names, disabled) in zip(schemas, _NEEDS, strict=True):
            if schema and not any(os.path.isdir(f"{self._root}/info/{name}") for name in names):
                raise OrlopError(disabled, hint=_HINT)
        if not record.intel_rdt_path:
            message = "updating a non-existent Intel RDT configuration is not supported"
            raise OrlopError(message, hint="create the container with linux.intelRdt")
        self._file = f"{record.intel_rdt_path}/schemata"
        self._lines = "".join(f"{schema}\n" for schema in schemas if schema)
        self._before = ""

    def apply(self) -> None:
        """Write them; what was there before is there again when one is refused.  Raises KernelError."""
        self._before = read(self._file)
        try:
            write(self._root, self._file, self._lines)
        except OrlopError:
            self.undo()
            raise

    def undo(self) -> None:
        """Put the file back as it was."""
        write(self._root, self._file, "".join(f"{line.strip()}\n" for line in self._before.splitlines()))
