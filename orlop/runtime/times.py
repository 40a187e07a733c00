"""--times: how long each operation of a container's program took, by the clock of the process that did it.

The program leaves a time stamp after each operation in memory that is shared with the supervisor; nothing else changes.
"""

from __future__ import annotations

from orlop import system as os
from orlop.errors import KernelError
from orlop.plan.clone import STAMPS_SIZE
from orlop.program.explain import lines
from orlop.program.timing import by_field, timed
from orlop.runtime.explain import VOCABULARY
from orlop.spec.json import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.program.ops import Program
    from orlop.program.timing import Step

_SLOWEST = 20


class Times:
    """The shared memory of one program, and the file that is written: JSON if its name ends so, else text."""

    def __init__(self, path: str) -> None:
        """Open both.  Raises KernelError where the file cannot be written."""
        self._path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            message = f"unable to write {path}: {(error.strerror or '').lower()}"
            raise KernelError(error.errno or 0, message, call="open", path=path, hint="give another file") from None
        self.memory = os.memfd_create("times", os.MFD_CLOEXEC)
        os.ftruncate(self.memory, STAMPS_SIZE)

    def tell(self, planned: Callable[[], Program] | None, log: Callable[[str, str], None]) -> None:
        """Write what is known so far of the program, where there is one; a failure is only told.  Gives both back."""
        try:
            if planned is not None:
                self._write(planned())
        except OSError as error:
            log("error", f"unable to write {self._path}: {(error.strerror or '').lower()}")
        finally:
            os.close(self._file)
            os.close(self.memory)

    def _write(self, program: Program) -> None:
        steps = timed(program, os.pread(self.memory, STAMPS_SIZE, 0))
        text = document(program, steps) if self._path.endswith(".json") else table(program, steps)
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(self._file, data) :]


def table(program: Program, steps: list[Step]) -> str:
    """The sums of each field in the order of the program, then the slowest operations; microseconds."""
    words = [line.text for line in lines(program, VOCABULARY)]
    total = sum(step.nanoseconds for step in steps)
    out = [f"{total / 1000:.1f} us in {len(steps)} of {len(program)} operations", "", "      us   ops  field"]
    out += [f"{spent / 1000:8.1f} {count:5}  {field}" for field, count, spent in by_field(steps)]
    out += ["", "      us    op  slowest"]
    slowest = sorted(steps, key=lambda step: -step.nanoseconds)[:_SLOWEST]
    out += [f"{step.nanoseconds / 1000:8.1f} {step.index:5}  {words[step.index]}" for step in slowest]
    return "".join(f"{line}\n" for line in out)


def document(program: Program, steps: list[Step]) -> str:
    """All operations that were done, in the order in which they were."""
    words = [line.text for line in lines(program, VOCABULARY)]
    done = [
        {
            "index": step.index,
            "field": step.op.purpose.field,
            "text": words[step.index],
            "nanoseconds": step.nanoseconds,
        }
        for step in steps
    ]
    return dump({"nanoseconds": sum(step.nanoseconds for step in steps), "operations": done}, "  ") + "\n"
