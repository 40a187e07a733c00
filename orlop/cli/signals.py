"""Signals by name and number: those of Linux on x86-64 and AArch64 (signal(7)).

Written out, because the `signal` module imports `enum`; a test compares the two.  Real-time signals have no name, as in
runc.
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


def number(text: str) -> int:
    """Return the signal that `text` means: `9`, `KILL`, `SIGKILL`, in any case.  Raises ConfigError."""
    if text.isascii() and text.isdigit():
        if int(text) <= _LAST:
            return int(text)
    else:
        name = text.upper()
        if name.removeprefix("SIG") in NUMBERS:
            return NUMBERS[name.removeprefix("SIG")]
    raise ConfigError(f'unknown signal "{text}"', hint="give a name such as TERM or SIGTERM, or a number from 0 to 64")
