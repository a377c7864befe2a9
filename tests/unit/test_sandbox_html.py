"""Bodies between HTML and text."""

from __future__ import annotations

from workers.sandbox import html_text


def test_blocks_become_lines_and_hidden_parts_vanish() -> None:
    markup = (
        "<html><head><style>p {}</style><title>t</title></head><body><p>Hola <b>Ana</b>,</p>"
        "<div>uno<br>dos</div><table><tr><td>a</td><td>b</td></tr></table><script>x()</script></body></html>"
    )
    assert html_text.to_text(markup) == "Hola Ana,\n\nuno\ndos\n\na b"


def test_text_survives_the_way_to_html_and_back() -> None:
    text = "uno & <dos>\n\n  tres {cuatro} %s"
    assert html_text.to_text(html_text.to_html(text)) == "uno & <dos>\n\ntres {cuatro} %s"


def test_the_unique_part_is_what_stands_before_the_quote() -> None:
    outlook = '<body><p>new</p><hr><div id="divRplyFwdMsg">From: x</div><p>old</p></body>'
    gmail = '<body><div>new</div><div class="gmail_quote"><blockquote>old</blockquote></div></body>'
    for markup in (outlook, gmail):
        assert html_text.to_text(html_text.unquoted(markup)) == "new"
