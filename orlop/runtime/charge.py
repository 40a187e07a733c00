"""Allocates the pages of new files on a container's account; plan/charge.py says why."""

from __future__ import annotations

from orlop import system as os
from orlop.executor.link import Executor
from orlop.plan.charge import FIRST, charge_program
from orlop.runtime.waiting import reap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Cgroup
    from orlop.host.copytree import Allocate


def allocator(cgroup: Cgroup) -> Allocate | None:
    """What allocates in the memory cgroup of a container; None where it has none."""
    directory = cgroup.directory("memory")
    if directory is None:
        return None
    tasks = f"{directory}/{'tasks' if 'memory' in cgroup.paths else 'cgroup.procs'}"
    return lambda files: _allocate(tasks, files)


def _allocate(tasks: str, files: list[tuple[int, int]]) -> None:
    """Blocks until it is done.  Raises OrlopError: the tmpfs is full, or the limit is reached."""
    from orlop.runtime.failure import failure, out_of_memory

    program = charge_program(os.uname().machine, tasks, [size for _, size in files])
    numbered = tuple((fd, FIRST + index) for index, (fd, _) in enumerate(files))
    helper = Executor(program, inherit=numbered)
    try:
        event = helper.receive()
    finally:
        helper.close()
        status = reap(helper.pid)
    if event is not None:
        raise failure(program, event)
    if status:
        raise out_of_memory()
