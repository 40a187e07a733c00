"""What sigaction(2) knows of a signal and Python does not tell.  Imported late, because ctypes takes milliseconds."""

from __future__ import annotations

import ctypes

_SA_RESTART = 0x1000_0000


class _Action(ctypes.Structure):
    """As the C libraries lay it out, glibc and musl, on both architectures."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_byte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


def restarts(number: int) -> bool:
    """Are system calls restarted after this signal, as siginterrupt(3) asks for?"""
    action = _Action()
    return not ctypes.CDLL(None).sigaction(number, None, ctypes.byref(action)) and bool(action.flags & _SA_RESTART)
