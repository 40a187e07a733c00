"""Takes a stopped container apart: cgroup, state, poststop hooks."""

from __future__ import annotations

from orlop.errors import CgroupError
from orlop.runtime.document import state_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Cgroup
    from orlop.runtime.options import Options
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import Spec
    from orlop.state.store import Record, Store


def destroy(
    store: Store, record: Record, cgroup: Cgroup, spec: Spec | None, options: Options, *, alone: bool
) -> Steps[None]:
    """Remove what create made.  `alone`: the container had a pid namespace of its own, so no process can have
    outlived it."""
    if not alone and cgroup.paths:  # without a cgroup nobody knows what is left: create has warned of it
        cgroup.kill()
    try:
        cgroup.delete()
    except CgroupError as error:
        cgroup.kill()
        options.log("debug", f"killed what was left in the cgroup: {error}")
        cgroup.delete()
    if record.intel_rdt_made:
        from orlop.host.resctrl import remove

        remove(record.intel_rdt_made)
    store.remove()
    if spec is not None and (spec.get("hooks") or {}).get("poststop"):
        from orlop.runtime.hooks import run_hooks_in_spite

        state = state_document(record, "stopped", 0)
        for message in (yield from run_hooks_in_spite(spec, "poststop", state)):
            options.log("warning", message)
