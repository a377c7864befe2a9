"""Our text above a quoted thread, and the tags that find it again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.graph.drafts import is_prepared, prepended, tag_of

QUOTE = '<hr><div id="divRplyFwdMsg">From: Ana</div>'


def test_our_text_goes_inside_the_body_before_the_quote() -> None:
    html = f'<html><head></head><BODY dir="ltr">{QUOTE}</BODY></html>'
    written = prepended("<p>Hola</p>", {"contentType": "html", "content": html}, tag="t")
    assert written.index('dir="ltr">') < written.index("<p>Hola</p>") < written.index(QUOTE)
    assert written.endswith("</BODY></html>")


def test_a_fragment_without_body_keeps_its_quote_too() -> None:
    written = prepended("<p>Hola</p>", {"contentType": "HTML", "content": QUOTE}, tag="t")
    assert written.index("<p>Hola</p>") < written.index(QUOTE)


def test_quoted_plain_text_is_shown_as_it_was_and_is_no_markup() -> None:
    written = prepended("<p>Hola</p>", {"contentType": "text", "content": "a < b\n> c"}, tag="t")
    assert "<pre>a &lt; b\n&gt; c</pre>" in written


def test_a_draft_is_prepared_by_its_own_tag_alone() -> None:
    written = prepended("<p>Hola</p>", {"contentType": "html", "content": QUOTE}, tag="acme:respond:1")
    assert is_prepared({"body": {"content": written}}, "acme:respond:1")
    # The original may be an answer of ours: what it quotes says nothing about this draft.
    assert not is_prepared({"body": {"content": written}}, "acme:respond:2")
    assert not is_prepared({}, "acme:respond:1")


@given(st.text(), st.text())
def test_tags_are_safe_to_compare_without_letter_case(one: str, other: str) -> None:
    first, second = tag_of("acme", one, "respond:x"), tag_of("acme", other, "respond:x")
    assert (first.lower() == second.lower()) == (one == other)
    assert "'" not in first
