"""One thing that the checker found."""

from __future__ import annotations

ERROR, WARNING = "error", "warning"


class Finding:
    """`field` is the JSON path, `value` what is there (Ellipsis where nothing is), `why` the rule or the source that
    says so, `hint` the remedy."""

    __slots__ = ("field", "hint", "level", "message", "value", "why")

    def __init__(
        self, level: str, field: str, message: str, *, why: str = "", hint: str | None = None, value: object = ...
    ) -> None:
        self.level = level
        self.field = field
        self.message = message
        self.why = why
        self.hint = hint
        self.value = value

    def document(self) -> dict[str, object]:
        """The finding as JSON; what is not known is left out."""
        found: dict[str, object] = {"level": self.level, "field": self.field}
        if self.value is not ...:
            found["value"] = self.value
        found["message"] = self.message
        if self.why:
            found["why"] = self.why
        if self.hint:
            found["remedy"] = self.hint
        return found

    def __repr__(self) -> str:
        return f"<{self.level}: {self.field}: {self.message}>"


def warning(field: str, message: str, *, why: str = "", hint: str | None = None) -> Finding:
    """A finding that keeps nothing from running."""
    return Finding(WARNING, field, message, why=why, hint=hint)


def error(field: str, message: str, *, why: str = "", hint: str | None = None) -> Finding:
    """A finding that keeps the bundle from running here."""
    return Finding(ERROR, field, message, why=why, hint=hint)
