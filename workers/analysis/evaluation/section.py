"""What a measurement hands on: lines to read and figures to compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Section:
    """`figures` by name, as "corpus.category.es.macro_f1"; shares are between 0 and 1."""

    title: str
    lines: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def table(self, caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Append a table; numbers stand right, shares with three digits."""
        cells = [list(head), *([_cell(value) for value in row] for row in rows)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
        self.lines += ["", caption]
        for row in cells:
            shown = (
                cell.rjust(width) if at > 0 and (row is cells[0] or _is_number(cell)) else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            self.lines.append(f"  {'  '.join(shown)}".rstrip())


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace("-", "", 1).isdigit()
