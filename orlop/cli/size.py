"""Sizes as Docker and runc read them: `64M`, `1.5g`, `512KiB`, `1000b`, `1000`; all units are powers of 1024."""

from __future__ import annotations

_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def size(text: str) -> int | None:
    """Return the size in bytes, or None where `text` is none or does not fit in 64 bits."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = text[len(number) :].lower()
    power = 0
    if unit not in ("", "b"):
        power = _POWERS.get(unit[0], 0)
        if not power or unit[1:] not in ("", "b", "ib"):
            return None
    whole, _, fraction = number.removesuffix(" ").partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit()):
        return None
    result = int(digits) * 1024**power // 10 ** len(fraction)
    return result if result < 2**63 else None
