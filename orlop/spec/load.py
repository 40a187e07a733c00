"""From bytes to a checked document."""

from __future__ import annotations

from orlop.errors import ConfigError
from orlop.spec.check import check, check_process
from orlop.spec.json import parse
from orlop.spec.walk import cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import Process, Spec


def load(data: bytes, where: str = "config.json", *, process: bool = True) -> Spec:
    """Return the config in `data`, checked; `where` names it in errors.

    `process` says whether a config without a process is refused, as runc does.  Raises ConfigError with every problem.
    """
    document = parse(data, where)
    problems = check(document, process=process)
    if problems:
        raise ConfigError(problems)
    return cast("Spec", document)


def load_process(data: bytes, where: str = "process.json") -> Process:
    """Return the process in `data`, as exec's `--process` file holds it, checked.  Raises ConfigError."""
    document = parse(data, where)
    problems = check_process(document)
    if problems:
        raise ConfigError(problems)
    return cast("Process", document)
