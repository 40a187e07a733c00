"""explain: the program of a container that is not made.

What `create` would do is read and checked as `create` does it; nothing is made, no cgroup and no state directory, so
that no privilege is needed.  Paths below both are those that `create` would make.
"""

from __future__ import annotations

from orlop.cgroup.device_program import describe
from orlop.plan.events import NAMES
from orlop.plan.limits import NUMBERS
from orlop.program.explain import explain, lines
from orlop.program.verify import verify
from orlop.program.words import Vocabulary
from orlop.runtime.creation import Creation
from orlop.spec.capabilities import CAPABILITIES
from orlop.spec.tuning import POLICIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Program
    from orlop.runtime.options import Options

VOCABULARY = Vocabulary(
    events=NAMES, capabilities=CAPABILITIES, schedulers=POLICIES, limits=NUMBERS, device_filter=describe
)


def program(container_id: str, options: Options) -> Program:
    """The program that `create` would run for the bundle of the options.  Raises OrlopError as `create` does."""
    return Creation(container_id, options, fifo=True).planning.planned()


def programs(container_id: str, options: Options) -> list[Program]:
    """That program, and before it that of the monitor, where one is asked for.  Raises OrlopError."""
    creation = Creation(container_id, options, fifo=True)
    found = [creation.planning.planned()]
    if options.monitor:
        from orlop.runtime.monitor import copied, over

        found.insert(0, over(found[0], found[0].control + 1, copied(creation.cgroup)))
    return found


def text(program: Program) -> str:
    """Every operation of a program, one a line, below the config field that asks for it."""
    return "".join(f"{line}\n" for line in explain(program, VOCABULARY))


def document(program: Program) -> dict[str, object]:
    """The same as JSON: `operations` in their order, `problems` that the verifier finds, which is never any."""
    return {
        "architecture": program.architecture,
        "operations": operations(program),
        "problems": verify(program),
    }


def operations(program: Program) -> list[object]:
    """The operations of a program, as JSON."""
    return [line.document() for line in lines(program, VOCABULARY)]
