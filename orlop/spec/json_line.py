"""JSON of small documents of our own, on one line, without the C encoder: to load that takes longer than to write."""

from __future__ import annotations

_WORDS = {None: "null", True: "true", False: "false"}


def line(value: object) -> str:
    """Return what `json.dump` of spec/json.py returns.  Raises TypeError for what JSON cannot hold;
    the names of members are text."""
    if isinstance(value, str):
        plain = value.isascii() and value.isprintable() and '"' not in value and "\\" not in value
        return f'"{value}"' if plain else _encoded(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{line(name)}:{line(member)}" for name, member in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([line(item) for item in value]) + "]"
    if type(value) is int:
        return str(value)
    return _WORDS[value] if value is None or isinstance(value, bool) else _encoded(value)


def _encoded(value: object) -> str:
    from orlop.spec.json import dump

    return dump(value)
