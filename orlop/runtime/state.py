"""state: what a container is doing."""

from __future__ import annotations

from orlop.runtime.container import STOPPED, Found
from orlop.version import SPEC_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options


def state(container_id: str, options: Options) -> dict[str, object]:
    """The state document (runtime-spec, "State"), with the keys that runc adds, and for a container that has ended
    its final account, as far as it is known.  Raises NotFound."""
    found = Found(container_id, options)
    document = describe(found)
    if document["status"] == STOPPED:
        from orlop.runtime.account import final_account

        document["account"] = final_account(found).as_document()
    return document


def describe(found: Found, owner: str = "") -> dict[str, object]:
    """The state document of a container that was found."""
    record = found.record
    status = found.status()
    document: dict[str, object] = {
        "ociVersion": SPEC_VERSION,
        "id": record.id,
        "pid": 0 if status == STOPPED else record.init_process_pid,
        "status": status,
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
    }
    if record.annotations:
        document["annotations"] = record.annotations
    document["owner"] = owner
    return document
