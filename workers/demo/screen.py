"""Where the demo shows its rows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from workers.demo.rows import HEADINGS, Row

_CATEGORY_STYLES = {
    "finance": "green",
    "calendar": "cyan",
    "support": "yellow",
    "sales": "magenta",
    "newsletter": "blue",
    "spam": "red",
    "personal": "bright_cyan",
    "general": "white",
}
_PLAIN_WIDTHS = (8, 44, 10, 5, 7, 40, 6)
_RATIOS = {"subject": 5, "what was done": 6}


class Screen(Protocol):
    """Shows rows as they come, a status beneath them, and text."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def rows(self, rows: Sequence[Row]) -> None: ...

    def status(self, text: str) -> None: ...

    def text(self, text: str) -> None: ...


def screen_for_stdout() -> Screen:
    return TerminalScreen() if sys.stdout.isatty() else PlainScreen()


class PlainScreen:
    """One line a row, for pipes and files."""

    def __init__(self) -> None:
        self._began = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()

    def rows(self, rows: Sequence[Row]) -> None:
        if rows and not self._began:
            self._line(HEADINGS)
            self._began = True
        for row in rows:
            self._line(row.cells)

    def status(self, text: str) -> None:
        """Nothing: a status is for somebody who watches."""

    def text(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def _line(self, cells: Sequence[str]) -> None:
        widths = zip(cells, _PLAIN_WIDTHS, strict=True)
        self.text("  ".join(f"{cell[:width]:<{width}}" for cell, width in widths).rstrip())


class TerminalScreen:
    """A table that grows, with a status line beneath it."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        # Refreshed by us: its own thread would draw while nothing changes.
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._began = False

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def rows(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        table = Table(
            box=None,
            expand=True,
            show_header=not self._began,
            header_style="bold",
            pad_edge=False,
            collapse_padding=True,
        )
        self._began = True
        for heading, width in zip(HEADINGS, (8, None, 10, 5, 7, None, 5), strict=True):
            table.add_column(
                heading, width=width, ratio=_RATIOS.get(heading), overflow="ellipsis",
                no_wrap=True, justify="right" if heading == "ms" else "left",
            )  # fmt: skip
        for row in rows:
            table.add_row(*(Text(cell) for cell in row.cells[:2]), *_styled(row))
        self._console.print(table)

    def status(self, text: str) -> None:
        self._live.update(Text(text, style="dim"), refresh=True)

    def text(self, text: str) -> None:
        # Lines to copy from must not be broken where the terminal ends.
        self._console.print(Text(text), soft_wrap=True)


def _styled(row: Row) -> list[Text]:
    outcome = {"dead": "bold red", "skipped": "dim"}.get(row.state, "")
    return [
        Text(row.category, style=_CATEGORY_STYLES.get(row.category, "")),
        Text(row.confidence),
        Text(row.urgency, style="bold red" if row.urgency == "high" else ""),
        Text(row.done, style=outcome),
        Text(str(row.ms), style="dim"),
    ]
