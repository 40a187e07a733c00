"""What a valid config may ask for and orlop cannot do yet.  It is refused by name: nothing is ever ignored in silence.

Whoever builds a feature takes its row away.
"""

from __future__ import annotations

from orlop.errors import ConfigError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orlop.spec.types import Linux, Spec


def _intel_rdt(linux: Linux) -> Iterator[tuple[str, str]]:
    if linux.get("intelRdt") is not None:
        yield "linux.intelRdt", "resctrl"


_LINUX: tuple[Callable[[Linux], Iterator[tuple[str, str]]], ...] = (_intel_rdt,)


def refuse_unsupported(spec: Spec) -> None:
    """Raise ConfigError for everything that is not available yet, all at once."""
    found: list[tuple[str, str]] = []
    for row in _LINUX:
        found += row(spec.get("linux") or {})
    if found:
        raise ConfigError([Problem(field, f"{what} is not available yet") for field, what in found])
