"""From bytes to a checked document."""

from __future__ import annotations

from orlop.errors import ConfigError, Problem
from orlop.spec.check import check, check_process
from orlop.spec.json import parse
from orlop.spec.walk import cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orlop.spec.predraft import DeviceOf
    from orlop.spec.types import Process, Spec


def load(
    data: bytes, where: str = "config.json", *, process: bool = True, device: Callable[[], DeviceOf] | None = None
) -> Spec:
    """Return the config in `data`, checked; `where` names it in errors.

    `process` says whether a config without a process is refused, as runc does.  A pre-draft config, whose devices are
    names of the host's, is converted; `device` gives what looks them up.  Raises ConfigError with every problem.
    """
    document = parse(data, where)
    if is_predraft(document):
        from orlop.spec.predraft import convert

        document = convert(document, device()) if device else convert(document)
    problems = check(document, process=process, where=where)
    if problems:
        raise ConfigError(problems)
    return cast("Spec", document)


def is_predraft(document: object) -> bool:
    """Tell whether a document is in the format of runc 0.0.3, which its `version` says and nothing else."""
    return type(document) is dict and document.get("version") == "pre-draft" and "ociVersion" not in document


def load_process(data: bytes, where: str = "process.json") -> Process:
    """Return the process in `data`, as exec's `--process` file holds it, checked.  Raises ConfigError."""
    document = parse(data, where)
    problems = check_process(document)
    if problems:
        from orlop.spec.process import PROCESS
        from orlop.spec.spelling import spelled

        document = spelled(document, PROCESS)
        problems = check_process(document)
    if problems:
        raise ConfigError(problems)
    return cast("Process", document)


def load_resources(data: bytes, where: str) -> dict[str, object]:
    """Return the object in `data`, which is to be `linux.resources`; not checked.  Raises ConfigError."""
    document = parse(data, where)
    if not isinstance(document, dict):
        raise ConfigError([Problem(where, "must be an object, as linux.resources of config.json is")])
    from orlop.spec.resources import RESOURCES
    from orlop.spec.spelling import spelled

    return cast("dict[str, object]", spelled(document, RESOURCES))


def check_resources(resources: Mapping[str, object]) -> None:
    """Raise ConfigError with everything that is wrong with `linux.resources`."""
    from orlop.spec.resources import RESOURCES
    from orlop.spec.walk import check_object, under

    problems = under("linux.resources", check_object(resources, RESOURCES))
    if problems:
        raise ConfigError(problems)
