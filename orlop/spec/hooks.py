"""The table of `hooks`."""

from __future__ import annotations

from orlop.spec.walk import ABSOLUTE, MISSING, STRINGS, Shape, array, between, nested

# In the order in which they run.
HOOK_NAMES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")

_HOOKS = array(
    nested(
        Shape(
            "config.md#posix-platform-hooks",
            {"path": ABSOLUTE, "args": STRINGS, "env": STRINGS, "timeout": between(1, 2**31 - 1)},
            required={"path": MISSING},
        )
    )
)

HOOKS = Shape(
    "config.md#posix-platform-hooks",
    dict.fromkeys(HOOK_NAMES, _HOOKS),
    since={"createRuntime": "1.0.2", "createContainer": "1.0.2", "startContainer": "1.0.2"},
)
