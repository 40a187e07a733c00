"""Mounts that are legal and surely not meant."""

from __future__ import annotations

from orlop.check.fields import nearest
from orlop.check.finding import Finding, warning
from orlop.plan.mount_options import ALL_WORDS, ATTRIBUTES, EMPTY, MountOptions
from orlop.plan.paths import clean
from orlop.spec.mounts import is_bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Mount, Spec

_WHY = "runtime-spec 1.3, config.md#mounts"
# Words that the option tables of file systems are full of, and that look like a mistyped one of ours.
_NO_MISTAKES = frozenset("usrquota grpquota noacl acl quota noquota sec barrier nobarrier discard nodiscard".split())


def doubts(spec: Spec) -> Iterator[Finding]:
    """Every doubt about the mounts of a checked config."""
    mounts = spec.get("mounts", [])
    for index, mount in enumerate(mounts):
        place = f"mounts[{index}]"
        yield from _options(place, mount)
        yield from _kind(place, mount)
        yield from _hidden(index, mount, mounts)
    yield from _without_namespace(spec)


def _options(place: str, mount: Mount) -> Iterator[Finding]:
    words = mount.get("options", [])
    for index, word in enumerate(words):
        field = f"{place}.options[{index}]"
        if word in words[:index]:
            yield warning(field, f'"{word}" is there twice', why=_WHY, hint="leave one out")
        elif word in EMPTY - {"defaults"}:
            yield warning(field, f'"{word}" has no effect on Linux today', why="mount(8)", hint="leave it out")
        elif word in ATTRIBUTES:
            later = next((each for each in words[index + 1 :] if _cancels(word, each)), None)
            if later:
                yield warning(
                    field, f'"{word}" is taken back by "{later}" after it', why=_WHY, hint="keep one of the two"
                )
        elif word not in ALL_WORDS and "=" not in word:
            yield from _foreign(field, word, mount)


def _foreign(field: str, word: str, mount: Mount) -> Iterator[Finding]:
    near = nearest(word, ALL_WORDS) if word not in _NO_MISTAKES else None
    if near:
        message = f'"{word}" is no mount option, and is handed to the file system'
        yield warning(field, message, why=_WHY, hint=f'did you mean "{near}"?')


def _cancels(word: str, later: str) -> bool:
    """Tell whether an option undoes what another one has set."""
    if later not in ATTRIBUTES or ATTRIBUTES[word] == ATTRIBUTES[later]:
        return False
    (on, off), (later_on, later_off) = ATTRIBUTES[word], ATTRIBUTES[later]
    return bool(on & later_off | off & later_on)


def _kind(place: str, mount: Mount) -> Iterator[Finding]:
    kind = mount.get("type", "")
    if not is_bind(mount):
        if kind == "bind":
            message = "without the option bind or rbind this is no bind mount, and no file system is called so"
            yield warning(f"{place}.type", message, why=_WHY, hint='add "rbind" to the options')
        elif kind in ("", "none") and "remount" not in mount.get("options", []):
            hint = 'set type; or add "rbind" to the options' if mount.get("source") else "set type"
            message = "a mount that is no bind mount needs a file system"
            yield warning(f"{place}.type", message, why=_WHY, hint=hint)
    elif kind not in ("", "none", "bind", "rbind"):
        message = f'"{kind}" is not used: with "bind" or "rbind" this is a bind mount'
        yield warning(f"{place}.type", message, why=_WHY, hint='set it to "bind", or leave the option out')
    if not mount["destination"].startswith("/"):
        message = "a relative destination is deprecated, and taken from the root"
        yield warning(f"{place}.destination", message, why=_WHY, hint=f"write /{mount['destination']}")


def _hidden(index: int, mount: Mount, mounts: list[Mount]) -> Iterator[Finding]:
    own = clean(mount["destination"])
    for number, later in enumerate(mounts[index + 1 :], index + 1):
        over = clean(later["destination"])
        if "remount" in later.get("options", []) or MountOptions(later.get("options", [])).copy_up:
            continue
        if own == over or own.startswith(f"{over}/"):
            message = f"is hidden by mounts[{number}] on {later['destination']}, which is mounted over it"
            yield warning(f"mounts[{index}].destination", message, why=_WHY, hint=f"list it after mounts[{number}]")
            return


def _without_namespace(spec: Spec) -> Iterator[Finding]:
    kinds = [row["type"] for row in spec.get("linux", {}).get("namespaces", [])]
    if spec.get("mounts") and "mount" not in kinds:
        message = "the container has no mount namespace of its own"
        hint = 'add {"type": "mount"} to linux.namespaces'
        yield warning("linux.namespaces", message, why="runtime-spec 1.3, config-linux.md#namespaces", hint=hint)
