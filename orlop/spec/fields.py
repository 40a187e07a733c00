"""The table of a whole config; each subject has its own in the module of its name."""

from __future__ import annotations

from orlop.spec.hooks import HOOKS
from orlop.spec.linux import LINUX
from orlop.spec.mounts import MOUNTS
from orlop.spec.process import PROCESS
from orlop.spec.walk import BOOL, MISSING, STRING, TEXT, Shape, check_string, mapping, nested, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.walk import Found

_ALPHANUMERIC = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-")


def is_semantic_version(text: str) -> bool:
    """Tell whether a version follows SemVer 2.0.0: `1.3.0`, `1.0.2-dev`, `1.2.0-rc.1+build.5`."""
    text, plus, build = text.partition("+")
    core, dash, release = text.partition("-")
    numbers = core.split(".")
    if len(numbers) != 3 or not all(map(_is_number, numbers)):
        return False
    before = release.split(".") if dash else []
    after = build.split(".") if plus else []
    if any(part.isdigit() and not _is_number(part) for part in before):  # 01
        return False
    return all(part and _ALPHANUMERIC.issuperset(part) for part in (*before, *after))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text[0] != "0" or text == "0")


def _check_version(value: object, _: None) -> Found:
    """Check the version: any of major 1, because what a later minor adds is ignored as unknown."""
    if not isinstance(value, str):
        return check_string(value, None)
    if not is_semantic_version(value):
        return say(f'"{value}" is not a version (SemVer 2.0.0)')
    return [] if value.startswith("1.") else say(f"version {value} is not supported, only 1.x")


def _check_filled(value: object, _: None) -> Found:
    return say("must not be empty") if value == "" else check_string(value, None)


def _annotation(name: str) -> str | None:
    return None if name else "must not have an empty name"


CONFIG = Shape(
    "config.md",
    {
        "ociVersion": (_check_version, None),
        "root": nested(
            Shape(
                "config.md#root",
                {"path": (_check_filled, None), "readonly": BOOL},
                required={"path": MISSING},
            )
        ),
        "process": nested(PROCESS),
        "hostname": STRING,
        "domainname": STRING,
        "mounts": MOUNTS,
        "hooks": nested(HOOKS),
        "annotations": mapping(TEXT, _annotation),
        "linux": nested(LINUX),
    },
    required={"ociVersion": MISSING, "root": "root must be specified"},
    since={"domainname": "1.1"},
)
