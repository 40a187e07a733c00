"""Device rules: what of `linux.resources.devices` and the default devices a container may open and make.

The rules are played through a model of version 1's device cgroup, a default and its exceptions.  What comes out is
what both versions enforce: lines for devices.allow and devices.deny, or the filter of `device_program`.
"""

from __future__ import annotations

from orlop.errors import ConfigError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    # (type, major, minor); ANY is a wildcard.
    Device = tuple[str, int, int]

FIELD = "linux.resources.devices"
ANY = -1

# linux/bpf.h: BPF_DEVCG_ACC_*
MKNOD = 1
READ = 2
WRITE = 4
ALL = MKNOD | READ | WRITE

_LETTERS = (("r", READ), ("w", WRITE), ("m", MKNOD))

# Appended after the user's rules, as in runc: no rule can take these away.  A device of `linux.devices` with the
# same path replaces the default device and its rule.
DEFAULTS = (
    (None, "c", ANY, ANY, MKNOD),
    (None, "b", ANY, ANY, MKNOD),
    ("/dev/null", "c", 1, 3, ALL),
    ("/dev/random", "c", 1, 8, ALL),
    ("/dev/full", "c", 1, 7, ALL),
    ("/dev/tty", "c", 5, 0, ALL),
    ("/dev/zero", "c", 1, 5, ALL),
    ("/dev/urandom", "c", 1, 9, ALL),
    (None, "c", 136, ANY, ALL),  # /dev/pts/*
    (None, "c", 5, 2, ALL),  # /dev/ptmx
    (None, "c", 10, 200, ALL),  # /dev/net/tun
)


class Policy:
    """A default, and the devices for which the accesses in the mask are decided the other way."""

    __slots__ = ("allow", "exceptions")

    def __init__(self, allow: bool = False) -> None:
        self.allow = allow
        self.exceptions: dict[Device, int] = {}

    def apply(self, allow: bool, device: Device, access: int) -> None:
        """Apply a rule after all those before it.  Raises ConfigError for one that the device cgroup cannot express."""
        if device[0] == "a":  # every device: a new beginning
            self.allow = allow
            self.exceptions.clear()
        elif allow != self.allow:
            self.exceptions[device] = self.exceptions.get(device, 0) | access
        else:
            self._remove(device, access)

    def _remove(self, device: Device, access: int) -> None:
        # The kernel's version 1 silently keeps a wildcard exception when one device of it is taken away.  A rule that
        # has no effect is worse than an error.
        kind, major, minor = device
        for wider in ((kind, ANY, minor), (kind, major, ANY), (kind, ANY, ANY)):
            if wider != device and self.exceptions.get(wider, 0) & access:
                message = f"cannot except {line(device, access)} from the rule {line(wider, self.exceptions[wider])}"
                raise ConfigError([Problem(FIELD, message, "leave out the wider rule, or list the devices one by one")])
        left = self.exceptions.pop(device, 0) & ~access
        if left:
            self.exceptions[device] = left

    def sorted(self) -> list[tuple[Device, int]]:
        """Return the exceptions in one order, whatever the order of the rules: by major, minor, type."""
        return sorted(self.exceptions.items(), key=lambda item: (item[0][1], item[0][2], item[0][0]))

    def allows(self, device: Device, access: int) -> bool:
        """Tell what the kernel will decide about an access to one device."""
        kind, major, minor = device
        for (k, x, y), mask in self.exceptions.items():
            if k == kind and x in (ANY, major) and y in (ANY, minor):
                # An exception that denies does so for any access in it; one that allows must hold all of them.
                if (self.allow and access & mask) or (not self.allow and not access & ~mask):
                    return not self.allow
        return self.allow


def policy(resources: Mapping[str, object] | None, device_paths: Collection[str] = ()) -> Policy:
    """Return what `linux.resources.devices` and the defaults amount to.  Raises ConfigError.

    Without any rule all is denied but the defaults.  `device_paths` are the paths in `linux.devices`.
    """
    result = Policy()
    rules = resources.get("devices") if resources else None
    if isinstance(rules, list):
        for index, rule in enumerate(rules):
            result.apply(*_rule(rule, index))
    for path, kind, major, minor, access in DEFAULTS:
        if path not in device_paths:
            result.apply(True, (kind, major, minor), access)
    return result


def parse_list(text: str) -> Policy:
    """Return the policy that a cgroup has, from its devices.list.  Raises ValueError.

    The file holds what is allowed; of a cgroup that allows by default it tells just that, not its exceptions.
    """
    result = Policy()
    for entry in text.split("\n"):
        if entry:
            kind, numbers, letters = entry.split(" ")
            major, minor = (ANY if number == "*" else int(number) for number in numbers.split(":"))
            result.apply(True, (kind, major, minor), sum(bit for letter, bit in _LETTERS if letter in letters))
    return result


def transition(current: Policy, target: Policy) -> list[tuple[bool, str]]:
    """Return the fewest lines that lead from one policy to the other: (to devices.allow?, line).

    Nothing is denied in between that both allow, so that a living container does not notice.
    """
    lines = []
    old = current.exceptions
    # devices.list does not tell the exceptions of a cgroup that allows by default: only a new beginning is safe.
    if current.allow or current.allow != target.allow:
        lines.append((target.allow, "a"))
        old = {}
    for device, access in current.sorted() if old else ():
        if lost := access & ~target.exceptions.get(device, 0):
            lines.append((target.allow, line(device, lost)))
    for device, access in target.sorted():
        if gained := access & ~old.get(device, 0):
            lines.append((not target.allow, line(device, gained)))
    return lines


def by_file(lines: list[tuple[bool, str]]) -> list[tuple[str, list[str]]]:
    """Group lines for the fewest openings of files, without changing their order."""
    groups: list[tuple[str, list[str]]] = []
    for allow, text in lines:
        file = "devices.allow" if allow else "devices.deny"
        if not groups or groups[-1][0] != file:
            groups.append((file, []))
        groups[-1][1].append(text)
    return groups


def line(device: Device, access: int) -> str:
    """Return a rule as devices.allow reads it: `c 1:3 rwm`."""
    kind, major, minor = device
    letters = "".join(letter for letter, bit in _LETTERS if access & bit)
    return f"{kind} {'*' if major == ANY else major}:{'*' if minor == ANY else minor} {letters}"


def _rule(rule: object, index: int) -> tuple[bool, Device, int]:
    where = f"{FIELD}[{index}]"
    if not isinstance(rule, dict):
        raise ConfigError([Problem(where, "expected an object")])
    kind = rule.get("type") or "a"
    if kind not in ("a", "c", "b"):
        raise ConfigError([Problem(where + ".type", f'invalid cgroup device type "{kind}"')])
    letters = rule.get("access")
    if not isinstance(letters, str) or not letters:
        raise ConfigError([Problem(where + ".access", f"device access at {index} field cannot be empty")])
    if unknown := letters.strip("rwma"):
        raise ConfigError([Problem(where + ".access", f'unknown device access "{unknown}"')])
    access = sum(bit for letter, bit in _LETTERS if letter in letters)
    return bool(rule.get("allow")), (str(kind), _number(rule, "major", where), _number(rule, "minor", where)), access


def _number(rule: Mapping[str, object], key: str, where: str) -> int:
    number = rule.get(key)
    if number is None:
        return ANY
    if not isinstance(number, int) or not ANY <= number < 1 << 32:
        raise ConfigError([Problem(f"{where}.{key}", f"invalid {key} {number}")])
    return number
