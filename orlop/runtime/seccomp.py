"""linux.seccomp of a config, compiled: remembered with its program, from the cache of filters, or with libseccomp."""

from __future__ import annotations

from orlop import system as os
from orlop.host.cache import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.facts import SeccompFilter
    from orlop.runtime.options import Options
    from orlop.spec.types import Seccomp, Spec


def seccomp_filter(spec: Spec, options: Options, kept: SeccompFilter | None = None) -> SeccompFilter | None:
    """The filter of a config that has been checked, None where it has none; `kept` is what was made of it before.

    Raises ConfigError and OrlopError.
    """
    profile = (spec.get("linux") or {}).get("seccomp")
    if not profile:
        return None
    found = kept if kept is not None and _would_be_made_again(kept) else _made(profile)
    options.log("debug", f"seccomp filter flags: {found.flags}")  # runc's tests read this line
    return found


def _would_be_made_again(kept: SeccompFilter) -> bool:
    """Are machine, kernel and library what they were when the filter was made?  Our own compiler is, or it would not
    have been remembered."""
    try:
        lines = kept.maker.decode("utf-8", "surrogateescape").split("\n")
        _compiler, machine, release, library, was, _version, _ = lines
        system = os.uname()
        return (machine, release) == (system.machine, system.release) and was == identity(library)
    except (OSError, ValueError):
        return False


def library(made: SeccompFilter) -> str:
    """The path of the library that compiled a filter.  Raises ValueError where that is not known."""
    _compiler, _machine, _release, path, *_ = made.maker.decode("utf-8", "surrogateescape").split("\n")
    return path


def _made(profile: Seccomp) -> SeccompFilter:
    from orlop.host.seccomp_cache import Cache
    from orlop.plan.facts import SeccompFilter
    from orlop.plan.seccomp_flags import flags

    bits = flags(profile)
    program, maker = Cache().get(profile) or _compiled(profile)
    return SeccompFilter(program, bits, maker)


def _compiled(profile: Seccomp) -> tuple[bytes, bytes]:
    from orlop.host.seccomp import Library, compile_filter
    from orlop.host.seccomp_cache import Cache, maker

    library = Library()
    program = compile_filter(profile, library)
    description = library.describe()
    if description is None:
        return program, b""
    Cache().put(profile, description, program)
    return program, maker(description)
