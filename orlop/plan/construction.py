"""What the steps of a plan share: the config, the host, the caller's wishes, and the registers they pass on."""

from __future__ import annotations

from orlop.program.builder import Builder
from orlop.program.ops import Purpose, Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.facts import Facts, Request
    from orlop.plan.keeping import Kept
    from orlop.spec.types import Linux, Namespace, Process, Spec


class Construction:
    """The state of planning one container or one exec.

    `root` is the register of the root file system while the container is built, `procfs` that of the private
    procfs, `sources` those of bind sources that had to be opened early, by the index of their mount. `working` is
    the root of the container while the working directory is entered, `inside` whether it already is. `writable_dev`
    is a tmpfs on /dev that is to be made read-only.  `report` is a file for what becomes of hooks when nobody listens.
    """

    __slots__ = (
        "b",
        "console",
        "facts",
        "inside",
        "linux",
        "namespaces",
        "opened",
        "process",
        "procfs",
        "report",
        "request",
        "root",
        "sources",
        "spec",
        "working",
        "writable_dev",
    )

    def __init__(self, spec: Spec, process: Process, facts: Facts, request: Request) -> None:
        self.spec = spec
        self.process = process
        self.linux: Linux = spec.get("linux") or {}
        self.facts = facts
        self.request = request
        self.b = Builder(facts.architecture, request.control)
        self.namespaces: dict[str, Namespace] = {row["type"]: row for row in self.linux.get("namespaces") or []}
        self.root: Register | None = None
        self.procfs: Register | None = None
        self.console: Register | None = None
        self.report: Register | None = None
        self.sources: dict[int, Kept] = {}
        self.opened: dict[str, Register] = {}
        self.working: Register | None = None
        self.inside: Register | None = None
        self.writable_dev: tuple[Purpose, Register] | None = None

    def creates(self, kind: str) -> bool:
        """Is a new namespace of this type made for the container?"""
        row = self.namespaces.get(kind)
        return row is not None and not row.get("path")

    def joins(self, kind: str) -> str | None:
        """The path of the namespace of this type that the container joins."""
        row = self.namespaces.get(kind)
        return (row.get("path") or None) if row is not None else None
