"""What `process` asks for, in the order the kernel wants it: for a container's first process and for an exec alike."""

from __future__ import annotations

from orlop.plan.command import await_home, find_program, home
from orlop.plan.credentials import (
    change_user,
    enter_as_root,
    enter_working_directory,
    no_new_privileges,
    set_capabilities,
    shrink_bounding_set,
)
from orlop.plan.labels import set_labels
from orlop.plan.scheduling import io_priority, memory_policy, scheduler
from orlop.plan.seccomp import try_filter
from orlop.plan.streams import own_streams
from orlop.plan.system import personality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.ops import Register


def become_the_process(c: Construction) -> tuple[Register, int | None]:
    """Everything but the limits, the filter and execve: the program that was found, and where HOME will be answered."""
    entry = home(c)
    scheduler(c)
    io_priority(c)
    personality(c)
    memory_policy(c)
    own_streams(c)
    shrink_bounding_set(c)
    enter_as_root(c)
    change_user(c)
    enter_working_directory(c)
    set_capabilities(c)
    set_labels(c)
    no_new_privileges(c)
    try_filter(c)
    await_home(c, entry)
    return find_program(c), entry
