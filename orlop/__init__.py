"""orlop: an OCI container runtime, and a library that gives a Python program containers of its own.

Every public name is found here and imported when it is first used: `import orlop` itself costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.container import Container as Container
    from orlop.errors import CgroupError as CgroupError
    from orlop.errors import ConfigError as ConfigError
    from orlop.errors import ExecError as ExecError
    from orlop.errors import HookError as HookError
    from orlop.errors import InternalError as InternalError
    from orlop.errors import KernelError as KernelError
    from orlop.errors import NotFound as NotFound
    from orlop.errors import OrlopError as OrlopError
    from orlop.errors import Problem as Problem
    from orlop.errors import StateError as StateError
    from orlop.runtime.account import Account as Account
    from orlop.version import VERSION as __version__  # noqa: F401 - a public name, see _HOME

# Public name → the module that has it, and its name there.  Sorted, so that `dir(orlop) == orlop.__all__`.
_HOME = {
    "Account": ("orlop.runtime.account", "Account"),
    "CgroupError": ("orlop.errors", "CgroupError"),
    "ConfigError": ("orlop.errors", "ConfigError"),
    "Container": ("orlop.container", "Container"),
    "ExecError": ("orlop.errors", "ExecError"),
    "HookError": ("orlop.errors", "HookError"),
    "InternalError": ("orlop.errors", "InternalError"),
    "KernelError": ("orlop.errors", "KernelError"),
    "NotFound": ("orlop.errors", "NotFound"),
    "OrlopError": ("orlop.errors", "OrlopError"),
    "Problem": ("orlop.errors", "Problem"),
    "StateError": ("orlop.errors", "StateError"),
    "__version__": ("orlop.version", "VERSION"),
}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'orlop' has no attribute {name!r}")
    value: object = getattr(__import__(home[0], fromlist=(home[1],)), home[1])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
