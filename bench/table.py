"""The figures as a table, with orlop's share of each other runtime's."""

from __future__ import annotations


def table(title: str, rows: dict[str, dict[str, float]]) -> str:
    """A table in plain text: medians, then ratios."""
    others = [name for name in next(iter(rows.values())) if name != "orlop"]
    heads = ["", "orlop", *others, *(f"orlop/{name}" for name in others)]
    lines = [heads]
    for label, medians in rows.items():
        own = medians["orlop"]
        ratios = [f"{own / medians[name]:.2f}" if name in medians else "" for name in others]
        figures = [f"{medians[name]:.1f}" if name in medians else "" for name in others]
        lines.append([label, f"{own:.1f}", *figures, *ratios])
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    text = [
        "  ".join(
            cell.ljust(width) if not i else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([title, *("  " + line for line in text), ""])
