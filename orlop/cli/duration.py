"""Durations as Go writes them: `5s`, `100ms`, `1h30m`, `-1.5s`, `0`; a bare number has no unit and is refused."""

from __future__ import annotations

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu: Go takes both
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def nanoseconds(text: str) -> int | None:
    """Return the duration in nanoseconds, or None where `text` is none or does not fit in 64 bits."""
    sign = -1 if text[:1] == "-" else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    if not rest:
        return None
    total = 0
    while rest:
        whole, rest = _digits(rest)
        fraction = ""
        if rest[:1] == ".":
            fraction, rest = _digits(rest[1:])
        if not whole and not fraction:
            return None
        length = 0
        while length < len(rest) and rest[length] not in "0123456789.":
            length += 1
        unit = _UNITS.get(rest[:length])
        if unit is None:
            return None
        rest = rest[length:]
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
    return sign * total if total < 2**63 else None


def _digits(text: str) -> tuple[str, str]:
    rest = text.lstrip("0123456789")
    return text[: len(text) - len(rest)], rest
