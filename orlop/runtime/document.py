"""The state document of the runtime-spec: what `state` prints begins with it, and hooks read it."""

from __future__ import annotations

from orlop.version import SPEC_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.state.store import Record


def state_document(record: Record, status: str, pid: int) -> dict[str, object]:
    """The state of a container (runtime-spec 1.3, runtime.md, "State"), as its hooks are given it."""
    document: dict[str, object] = {
        "ociVersion": SPEC_VERSION,
        "id": record.id,
        "status": status,
        "pid": pid,
        "bundle": record.bundle,
    }
    if record.annotations:
        document["annotations"] = record.annotations
    return document
