"""Compiles linux.seccomp with libseccomp, through ctypes.  Imported only when a filter is not in the cache.

The library (2.5 or later) turns names into numbers and rules into classic BPF for each architecture; what it is given,
and what is put before its filter, follows runc, whose profiles are written for that.
"""

from __future__ import annotations

import ctypes
import errno
import os

from orlop.errors import ConfigError, OrlopError, Problem
from orlop.host.seccomp_cache import INSTRUCTION, MAX_INSTRUCTIONS, describe_library
from orlop.host.seccomp_stub import stub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import Seccomp, SeccompArgument, SeccompRule

# seccomp.h.  An errno goes into the lower 16 bits of those that take one.
_ACTIONS = {
    "SCMP_ACT_KILL": 0x0000_0000,
    "SCMP_ACT_KILL_THREAD": 0x0000_0000,
    "SCMP_ACT_KILL_PROCESS": 0x8000_0000,
    "SCMP_ACT_TRAP": 0x0003_0000,
    "SCMP_ACT_ERRNO": 0x0005_0000,
    "SCMP_ACT_TRACE": 0x7FF0_0000,
    "SCMP_ACT_NOTIFY": 0x7FC0_0000,
    "SCMP_ACT_LOG": 0x7FFC_0000,
    "SCMP_ACT_ALLOW": 0x7FFF_0000,
}
_WITH_ERRNO = {"SCMP_ACT_ERRNO": 4095, "SCMP_ACT_TRACE": 0xFFFF}  # and the highest: MAX_ERRNO; 16 bits
# These defaults let a system call that the profile does not know be made: it need not be refused softly.
_PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")
_OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
_OPTIMIZE = 8  # SCMP_FLTATR_CTL_OPTIMIZE, since 2.5
_BINARY_TREE = 2
_MANY_RULES = 32  # of fewer a tree is no quicker
_UNKNOWN = -1  # __NR_SCMP_ERROR
_NAME = "libseccomp.so.2"


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("value_two", ctypes.c_uint64),
    )


class Library:
    """The loaded libseccomp, and where it lies."""

    def __init__(self) -> None:
        """Load it.  Raises OrlopError."""
        try:
            self.c = ctypes.CDLL(_NAME)
        except OSError as error:
            hint = "install libseccomp (Debian: libseccomp2), or leave linux.seccomp out"
            raise OrlopError(f"linux.seccomp: unable to load {_NAME}: {error}", hint=hint) from None
        c, pointer, number = self.c, ctypes.c_void_p, ctypes.c_uint32
        c.seccomp_version.restype = ctypes.POINTER(ctypes.c_uint)
        c.seccomp_init.argtypes, c.seccomp_init.restype = (number,), pointer
        c.seccomp_release.argtypes, c.seccomp_release.restype = (pointer,), None
        c.seccomp_arch_native.restype = number
        c.seccomp_arch_resolve_name.argtypes, c.seccomp_arch_resolve_name.restype = (ctypes.c_char_p,), number
        c.seccomp_arch_add.argtypes = (pointer, number)
        c.seccomp_attr_set.argtypes = (pointer, ctypes.c_int, number)
        c.seccomp_syscall_resolve_name_arch.argtypes = (number, ctypes.c_char_p)
        c.seccomp_rule_add_array.argtypes = (pointer, number, ctypes.c_int, ctypes.c_uint, pointer)
        c.seccomp_export_bpf.argtypes = (pointer, ctypes.c_int)

    @property
    def version(self) -> str:
        numbers = self.c.seccomp_version()
        return f"{numbers[0]}.{numbers[1]}.{numbers[2]}"

    def describe(self) -> bytes | None:
        """What the cache notes about it; None where its file cannot be found."""
        try:
            with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
                paths = {line[73:].rstrip("\n") for line in maps if "/libseccomp.so" in line}
            return describe_library(paths.pop(), self.version) if len(paths) == 1 else None
        except OSError:
            return None


def compile_filter(profile: Seccomp, library: Library | None = None) -> bytes:
    """The filter of a profile that has been checked, for this machine.  Raises ConfigError and OrlopError."""
    return _Compilation(profile, library or Library()).run()


class _Compilation:
    def __init__(self, profile: Seccomp, library: Library) -> None:
        self.profile = profile
        self.library = library
        self.c = library.c
        self.rules = profile.get("syscalls") or []
        self.default = _action(
            profile["defaultAction"], profile.get("defaultErrnoRet"), "linux.seccomp.defaultErrnoRet"
        )
        self.native: int = self.c.seccomp_arch_native()
        self.highest: dict[int, int] = {}

    def run(self) -> bytes:
        context = self.c.seccomp_init(self.default)
        if not context:
            raise OrlopError("linux.seccomp: libseccomp refused the default action")
        try:
            self._architectures(context)
            if sum(len(rule["names"]) for rule in self.rules) > _MANY_RULES:
                self.c.seccomp_attr_set(context, _OPTIMIZE, _BINARY_TREE)  # an older library has none: no harm
            for index, rule in enumerate(self.rules):
                self._rule(context, f"linux.seccomp.syscalls[{index}]", rule)
            program = self._head() + self._export(context)
        finally:
            self.c.seccomp_release(context)
        count = len(program) // INSTRUCTION
        if count > MAX_INSTRUCTIONS:
            message = f"the filter has {count} instructions, and the kernel takes at most {MAX_INSTRUCTIONS}"
            raise ConfigError([Problem("linux.seccomp", message, "use fewer rules or architectures")])
        return program

    def _architectures(self, context: int) -> None:
        tokens = [self.native]
        for index, name in enumerate(self.profile.get("architectures") or ()):
            field = f"linux.seccomp.architectures[{index}]"
            token = self.c.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
            if not token:
                raise ConfigError([Problem(field, f"libseccomp {self.library.version} does not know {name}")])
            self._expect(self.c.seccomp_arch_add(context, token), field, name, known=(errno.EEXIST,))
            if token not in tokens:
                tokens.append(token)
        for token in tokens:
            numbers = (self._number(name, token) for rule in self.rules for name in rule["names"])
            highest = max(numbers, default=_UNKNOWN)
            if highest >= 0:
                self.highest[token] = highest

    def _number(self, name: str, token: int) -> int:
        """Of a system call; negative for one that this architecture, or the library, has not."""
        if not name.isascii() or "\0" in name:
            return _UNKNOWN
        found: int = self.c.seccomp_syscall_resolve_name_arch(token, name.encode())
        return found

    def _rule(self, context: int, field: str, rule: SeccompRule) -> None:
        action = _action(rule["action"], rule.get("errnoRet"), f"{field}.errnoRet")
        if action == self.default:
            return
        for name in rule["names"]:
            number = self._number(name, self.native)
            if number == _UNKNOWN:
                continue  # a profile serves many kernels and architectures
            for conditions in _alternatives(rule.get("args") or []):
                rows = (_Comparison * len(conditions))(*map(_comparison, conditions))
                result = self.c.seccomp_rule_add_array(context, action, number, len(rows), rows)
                self._expect(result, field, f"the rule for {name}")

    def _expect(self, result: int, field: str, what: str, known: tuple[int, ...] = ()) -> None:
        if result == 0 or -result in known:
            return
        hints = {
            errno.EEXIST: "another rule for the same system call and arguments has another action",
            errno.EDOM: "all architectures of a profile must have the byte order of this machine",
        }
        message = f"libseccomp refuses {what}: {os.strerror(-result).lower()}"
        raise ConfigError([Problem(field, message, hints.get(-result))])

    def _head(self) -> bytes:
        return b"" if self.profile["defaultAction"] in _PERMISSIVE else stub(self.highest)

    def _export(self, context: int) -> bytes:
        fd = os.memfd_create("seccomp", os.MFD_CLOEXEC)
        try:
            result = self.c.seccomp_export_bpf(context, fd)
            self._expect(result, "linux.seccomp", "the profile")
            return os.pread(fd, os.fstat(fd).st_size, 0)
        finally:
            os.close(fd)


def _action(name: str, error: int | None, field: str) -> int:
    most = _WITH_ERRNO.get(name)
    if most is None:
        return _ACTIONS[name]
    error = errno.EPERM if error is None else error
    if error > most:
        raise ConfigError([Problem(field, f"must be from 0 to {most} for {name}, not {error}")])
    return _ACTIONS[name] | error


def _alternatives(conditions: list[SeccompArgument]) -> list[list[SeccompArgument]]:
    """The conditions of one rule must all hold; but libseccomp takes one for each argument, so several of the same
    argument are rules of their own, as in runc, of which one must hold."""
    if len({row["index"] for row in conditions}) == len(conditions):
        return [conditions]
    return [[row] for row in conditions]


def _comparison(row: SeccompArgument) -> _Comparison:
    return _Comparison(row["index"], _OPERATORS[row["op"]], row["value"], row.get("valueTwo") or 0)
