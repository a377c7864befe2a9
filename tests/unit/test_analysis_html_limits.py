"""HTML that would cost a parser more than its length: text in bounded time, with a note."""

from __future__ import annotations

from time import process_time

import pytest

from workers.analysis.html import visible_text
from workers.analysis.html_limits import HARMLESS_TAGS, MAX_NESTING_TAGS, tamed

# Unclosed formatting elements are repeated in every paragraph; the others are searched for up all open tags.
_COSTLY = {
    "fonts": "".join(f"<font a={n}><p>x" for n in range(20_000)),
    "divs": "<div>x" * 60_000,
    "lists": "<ul><li>x" * 40_000,
    "ruby": "<rb>x" * 60_000,
    "drawings": "<object><svg>x</html>" * 20_000,
}


@pytest.mark.parametrize("name", _COSTLY)
def test_costly_html_takes_bounded_time_and_keeps_its_text(name: str) -> None:
    started = process_time()
    read = visible_text(_COSTLY[name])
    # Seconds to hours without the limits; the wide margin is for busy machines.
    assert process_time() - started < 1.5
    assert read.text.count("x") > 5_000
    assert read.notes


def test_a_table_cut_by_the_limit_keeps_its_order() -> None:
    cut = "<table><tr><td>uno</td></tr><tr>"
    html = "<div>" * (MAX_NESTING_TAGS - cut.count("<")) + cut + "<td>dos</td></tr></table>"
    assert visible_text(html).text.split() == ["uno", "dos"]


def test_ordinary_html_is_left_alone() -> None:
    html = "<div><b>Hola</b><ruby>x<rt>y</rt></ruby></div>" * 30
    assert html.count("<") <= HARMLESS_TAGS
    assert tamed(html) == (html, None)


def test_lines_stay_apart_after_the_limit() -> None:
    rows = 3 * MAX_NESTING_TAGS
    read = visible_text("".join(f"<div>fila {n}</div>" for n in range(rows)))
    lines = read.text.split("\n")
    assert lines[:2] == ["fila 0", "fila 1"]
    assert lines[-1] == f"fila {rows - 1}"
    assert any("plain lines" in note for note in read.notes)


def test_hidden_text_stays_hidden_among_many_tags() -> None:
    html = "<p>visto</p>" * HARMLESS_TAGS + '<span style="display:none">oculto</span>'
    assert "oculto" not in visible_text(html).text
