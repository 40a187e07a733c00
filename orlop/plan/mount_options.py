"""The option words of a mount: runtime-spec 1.3, config.md "Mounts", with the meaning that mount(8) gives them."""

from __future__ import annotations

from orlop.program.linux import (
    MOUNT_ATTR__ATIME,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_RELATIME,
    MOUNT_ATTR_STRICTATIME,
    MS_PRIVATE,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)

# word: (attributes set, attributes cleared); with `r` before it the word covers the whole tree.
ATTRIBUTES: dict[str, tuple[int, int]] = {
    "ro": (MOUNT_ATTR_RDONLY, 0),
    "rw": (0, MOUNT_ATTR_RDONLY),
    "nosuid": (MOUNT_ATTR_NOSUID, 0),
    "suid": (0, MOUNT_ATTR_NOSUID),
    "nodev": (MOUNT_ATTR_NODEV, 0),
    "dev": (0, MOUNT_ATTR_NODEV),
    "noexec": (MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, MOUNT_ATTR_NOEXEC),
    "nosymfollow": (MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, MOUNT_ATTR_NOSYMFOLLOW),
    "nodiratime": (MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, 0),  # these only take an earlier word back: what there is stays, as with mount(8)
    "noatime": (MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
    "atime": (0, 0),
    "relatime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
    "norelatime": (0, 0),
    "strictatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
    "nostrictatime": (0, 0),
}
_TAKES_BACK = {
    "diratime": MOUNT_ATTR_NODIRATIME,
    "atime": MOUNT_ATTR_NOATIME,
    "nostrictatime": MOUNT_ATTR_STRICTATIME,
}
_TREE = ATTRIBUTES | {
    "diratime": (0, MOUNT_ATTR_NODIRATIME),
    "atime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
    "norelatime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
    "nostrictatime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
}
RECURSIVE = frozenset("r" + word for word in _TREE)
PROPAGATION = {
    "private": (MS_PRIVATE, False),
    "rprivate": (MS_PRIVATE, True),
    "shared": (MS_SHARED, False),
    "rshared": (MS_SHARED, True),
    "slave": (MS_SLAVE, False),
    "rslave": (MS_SLAVE, True),
    "unbindable": (MS_UNBINDABLE, False),
    "runbindable": (MS_UNBINDABLE, True),
}
# Flags of the superblock, which the kernel takes under these very names (fs/fs_context.c).
SUPERBLOCK = frozenset("async sync dirsync lazytime nolazytime mand nomand".split())
# Words without effect: the default, or a flag that no file system has taken for years.
EMPTY = frozenset("defaults silent loud iversion noiversion".split())
# Of SELinux, which takes off the quotes only from what mount(2) is given.
LABELS = frozenset("context fscontext defcontext rootcontext".split())
OWN = frozenset("bind rbind remount tmpcopyup idmap ridmap".split())
ALL_WORDS = tuple(sorted({*ATTRIBUTES, *RECURSIVE, *PROPAGATION, *SUPERBLOCK, *EMPTY, *OWN}))


class MountOptions:
    """The words of one mount, sorted by what carries them out.

    `on` and `off` are MOUNT_ATTR_* bits of the mount, `recursive_on` and `recursive_off` those of the whole tree,
    `data` the file
    system's own options as (key, value or None), `propagation` pairs of (MS_* flag, recursive) in the order given.
    """

    __slots__ = (
        "bind",
        "copy_up",
        "data",
        "idmap",
        "off",
        "on",
        "propagation",
        "recursive",
        "recursive_off",
        "recursive_on",
        "remount",
        "superblock",
        "touched",
    )

    def __init__(self, words: list[str]) -> None:
        self.bind = self.recursive = self.copy_up = self.remount = self.touched = False
        self.idmap: str | None = None
        self.on = self.off = self.recursive_on = self.recursive_off = 0
        self.superblock: list[str] = []
        self.propagation: list[tuple[int, bool]] = []
        self.data: list[tuple[str, str | None]] = []
        for word in words:
            self._add(word)
        if self.off & MOUNT_ATTR__ATIME or self.on & MOUNT_ATTR_NODIRATIME:  # to give one setting is to give them all
            self.off |= MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME & ~self.on
        if not (self.bind or self.remount):  # nothing is mounted in a new file system: its tree is itself
            self.on = self.on & ~self.recursive_off | self.recursive_on
            self.recursive_on = self.recursive_off = 0

    @property
    def read_only(self) -> bool:
        return bool(self.on & MOUNT_ATTR_RDONLY)

    def _add(self, word: str) -> None:
        attribute = ATTRIBUTES.get(word)
        if attribute is not None:
            on, off = attribute
            self.on = self.on & ~off & ~_opposite(off) | on
            self.off = self.off & ~on | off
            self.touched = True
            if self.on & _TAKES_BACK.get(word, 0):
                self.on &= ~_TAKES_BACK[word]
                self.off &= ~MOUNT_ATTR__ATIME
        elif word in PROPAGATION:
            self.propagation.append(PROPAGATION[word])
        elif word in OWN:
            self._own(word)
        elif word in RECURSIVE:
            on, off = _TREE[word[1:]]
            self.recursive_on = self.recursive_on & ~off | on
            self.recursive_off = self.recursive_off & ~on | off
        elif word in SUPERBLOCK:
            self.superblock.append(word)
        elif word not in EMPTY:
            self._add_data(word)

    def _add_data(self, words: str) -> None:
        """One word, or several with commas between them, as mount(2) takes them."""
        for word in _split(words) if "," in words else [words]:
            key, equals, value = word.partition("=")
            if key in LABELS:
                value = value.replace('"', "")
            if key or equals:
                self.data.append((key, value if equals else None))

    def _own(self, word: str) -> None:
        if word in ("bind", "rbind"):
            self.bind = True
            self.recursive = self.recursive or word == "rbind"
        elif word == "remount":
            self.remount = True
        elif word == "tmpcopyup":
            self.copy_up = True
        else:
            self.idmap = word


def _split(words: str) -> list[str]:
    """At the commas, but for those in quotes (SELinux) and behind a backslash (overlay)."""
    parts = [""]
    quoted = escaped = False
    for letter in words:
        if letter == "," and not quoted and not escaped:
            parts.append("")
            continue
        quoted ^= letter == '"'
        escaped = letter == "\\" and not escaped
        parts[-1] += letter
    return parts


def _opposite(off: int) -> int:
    """The access time settings exclude each other: to give one takes the others away."""
    return MOUNT_ATTR__ATIME if off & MOUNT_ATTR__ATIME else 0
