"""Signals by name and number: those of Linux on x86-64 and AArch64 (signal(7)).

Written out, because the `signal` module imports `enum`; a test compares the two.  Real-time signals are told from the
ends of their range, as images do: RTMIN+3.
"""

from __future__ import annotations

from orlop.errors import ConfigError

NUMBERS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "IOT": 6, "BUS": 7, "FPE": 8, "KILL": 9,
    "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CLD": 17,
    "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26,
    "PROF": 27, "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31,
}  # fmt: skip
_LAST = 64  # _NSIG
_RTMIN = 34  # of the C library, which keeps two for itself


def number(text: str) -> int:
    """Return the signal that `text` means: `9`, `KILL`, `SIGKILL`, `RTMIN+3`, in any case.  Raises ConfigError."""
    if text.isascii() and text.isdigit():
        if int(text) <= _LAST:
            return int(text)
    else:
        name = text.upper().removeprefix("SIG")
        if name in NUMBERS:
            return NUMBERS[name]
        if real_time := _real_time(name):
            return real_time
    raise ConfigError(f'unknown signal "{text}"', hint="give a name such as TERM or SIGTERM, or a number from 0 to 64")


def _real_time(name: str) -> int | None:
    base, steps = name[:5], name[6:]
    if base not in ("RTMIN", "RTMAX") or name[5:6] not in ("", "+" if base == "RTMIN" else "-"):
        return None
    if name[5:] and not (steps.isascii() and steps.isdigit() and len(steps) <= 2):
        return None
    found = _RTMIN + int(steps or 0) if base == "RTMIN" else _LAST - int(steps or 0)
    return found if _RTMIN <= found <= _LAST else None
