"""linux.seccomp of a config, compiled: from the cache, or with libseccomp."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.facts import SeccompFilter
    from orlop.runtime.options import Options
    from orlop.spec.types import Seccomp, Spec


def seccomp_filter(spec: Spec, options: Options) -> SeccompFilter | None:
    """The filter of a config that has been checked, None where it has none.  Raises ConfigError and OrlopError."""
    profile = (spec.get("linux") or {}).get("seccomp")
    if not profile:
        return None
    from orlop.host.seccomp_cache import Cache
    from orlop.plan.facts import SeccompFilter
    from orlop.plan.seccomp_flags import flags

    bits = flags(profile)
    options.log("debug", f"seccomp filter flags: {bits}")  # runc's tests read this line
    return SeccompFilter(Cache().get(profile) or _compile(profile), bits)


def _compile(profile: Seccomp) -> bytes:
    from orlop.host.seccomp import Library, compile_filter
    from orlop.host.seccomp_cache import Cache

    library = Library()
    program = compile_filter(profile, library)
    description = library.describe()
    if description is not None:
        Cache().put(profile, description, program)
    return program
