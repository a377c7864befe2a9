"""Bodies from one form to the other, as Exchange does on `Prefer: outlook.body-content-type`."""

from __future__ import annotations

import html
import re

from selectolax.lexbor import LexborHTMLParser

_HIDDEN = "script, style, head, title"
_BLOCKS = "p, div, tr, li, h1, h2, h3, h4, h5, h6, blockquote, pre, table, ul, ol, hr"
_QUOTES = "#divRplyFwdMsg, #appendonsend, .gmail_quote, blockquote[type=cite]"
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_SPACES = re.compile(r"[ \t\u00a0]+")
_SPACE_AT_EDGE = re.compile(r" *\n *")

_CONVERTED = (
    '<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
    '<meta name="Generator" content="Microsoft Exchange Server">\r\n<!-- converted from text -->\r\n'
    "<style><!-- .EmailQuote { margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px solid; } -->"
    "</style>"
    '</head>\r\n<body>\r\n<font size="2"><span style="font-size:11pt;"><div class="PlainText">{}</div>'
    "</span></font>\r\n</body>\r\n</html>\r\n"
)


def to_text(markup: str) -> str:
    """The visible text of HTML, a line for each block."""
    tree = LexborHTMLParser(markup)
    for node in tree.css(_HIDDEN):
        node.decompose()
    for node in tree.css("br"):
        node.replace_with("\n")
    for node in tree.css("td, th"):
        node.insert_after(" ")
    for node in tree.css(_BLOCKS):
        node.insert_before("\n")
        node.insert_after("\n")
    text = tree.body.text(separator="") if tree.body else ""
    text = _SPACE_AT_EDGE.sub("\n", _SPACES.sub(" ", text.replace("\r", "")))
    return _BLANK_LINES.sub("\n\n", text).strip()


def to_html(text: str) -> str:
    """Plain text as the HTML Exchange makes of it."""
    lines = html.escape(text, quote=False).replace("\r\n", "\n").split("\n")
    return _CONVERTED.replace("{}", "<br>\r\n".join(lines))


def inner_body(markup: str) -> str:
    """What stands between <body> and </body>."""
    tree = LexborHTMLParser(markup)
    return "".join(node.html or "" for node in tree.body.iter(include_text=True)) if tree.body else ""


def unquoted(markup: str) -> str:
    """The HTML without the quoted thread: Graph's uniqueBody."""
    tree = LexborHTMLParser(markup)
    for node in tree.css(_QUOTES):
        # Outlook puts the thread beside its marker, not inside.
        following = node.next
        while following is not None:
            after = following.next
            following.decompose()
            following = after
        node.decompose()
    return tree.html or ""
