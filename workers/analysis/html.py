"""HTML bodies as the text a reader sees, with what the markup tells besides: links, quotes, hidden parts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from workers.analysis.html_limits import tamed

MAX_HTML_CHARS = 400_000
MAX_NODES = 30_000
MAX_LINKS = 300

_UNSEEN = ["script", "style", "head", "title", "template", "noscript", "svg", "object", "select"]
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "li",
        "tr",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "table",
        "ul",
        "ol",
        "blockquote",
        "pre",
        "section",
        "article",
        "header",
        "footer",
        "center",
        "form",
        "dl",
        "dt",
        "dd",
        "address",
        "fieldset",
        "main",
        "nav",
        "hr",
        "br",
    ]
)
_QUOTE_SELECTOR = (
    "blockquote, .gmail_quote, .gmail_attr, .moz-cite-prefix, .yahoo_quoted, .protonmail_quote, "
    ".tutanota_quote, .zmail_extra, .OutlookMessageHeader, .moz-forward-container"
)
# Everything after these belongs to the history: Outlook puts it beside them, not inside.
_HISTORY_SELECTOR = (
    "#divRplyFwdMsg, #x_divRplyFwdMsg, #appendonsend, #ms-outlook-mobile-reference-message, #reply-intro, "
    "#OLK_SRC_BODY_SECTION, #mail-editor-reference-message-container"
)
_HIDING_STYLE = re.compile(
    r"display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|font-size\s{0,3}:\s{0,3}0(?:px|pt|em)?\s{0,3}(?:;|!|$)"
    r"|mso-hide\s{0,3}:\s{0,3}all",
    re.IGNORECASE,
)
# Marks put into the tree where ranges begin and end; private-use characters, so no text of the mail.
_HIDE, _SHOW, _QUOTE, _UNQUOTE, _HISTORY = "\ue001", "\ue002", "\ue003", "\ue004", "\ue005"
_PRIVATE = re.compile("[\ue000-\uf8ff]+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad\u034f\u061c\u180e]+")


@dataclass(slots=True)
class HtmlText:
    """`quoted`: ranges of `text` the markup sets apart as history. `links`: (address, visible text)."""

    text: str = ""
    quoted: list[tuple[int, int]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    images: int = 0
    hidden_chars: int = 0
    has_form: bool = False
    notes: list[str] = field(default_factory=list)


def visible_text(html: str) -> HtmlText:
    """Text of an HTML body, one line a block, without what is hidden. Never raises; linear in the input."""
    result = HtmlText()
    if len(html) > MAX_HTML_CHARS:
        html = html[:MAX_HTML_CHARS]
        result.notes.append(f"HTML cut to {MAX_HTML_CHARS} characters")
    html, loss = tamed(html)
    if loss:
        result.notes.append(loss)
    if not html.isascii():
        html = _INVISIBLE.sub("", _PRIVATE.sub("", html))
    root = LexborHTMLParser(html).body
    if root is None:
        return result
    lowered = html.lower()
    # Each is looked for in the whole tree, which takes far longer.
    root.strip_tags([tag for tag in _UNSEEN if f"<{tag}" in lowered])
    _mark(root)
    result.links = [
        (link.attributes.get("href") or "", " ".join(link.text().split())[:300])
        for link in islice(root.css("a[href]"), MAX_LINKS)
    ]
    result.images = len(root.css("img"))
    result.has_form = root.css_first("form, input[type=password]") is not None
    _Writer(result).write(root)
    return result


def _mark(root: LexborNode) -> None:
    for node in islice(root.css("[style]"), MAX_NODES):
        if _HIDING_STYLE.search(node.attributes.get("style") or ""):
            node.insert_before(_HIDE)
            node.insert_after(_SHOW)
    for node in islice(root.css(_QUOTE_SELECTOR), MAX_NODES):
        node.insert_before(_QUOTE)
        node.insert_after(_UNQUOTE)
    history = root.css_first(_HISTORY_SELECTOR)
    if history is not None:
        history.insert_before(_HISTORY)


class _Writer:
    def __init__(self, result: HtmlText) -> None:
        self.result = result
        self.pieces: list[str] = []
        self.length = 0
        self.hidden = 0
        self.quotes = 0
        self.quote_start = 0
        self.needs_space = False
        self.at_line_start = True

    def write(self, root: LexborNode) -> None:
        nodes = root.traverse(include_text=True)
        for node in islice(nodes, MAX_NODES):
            tag = node.tag
            if tag in _BLOCKS:
                self._break_line()
                continue
            before = node.prev
            if before is not None and before.tag in _BLOCKS:
                self._break_line()
            if tag == "-text":
                self._text(node)
            elif tag in ("td", "th"):
                self.needs_space = True
        if next(nodes, None) is not None:
            self.result.notes.append(f"HTML cut to {MAX_NODES} nodes")
        if self.quotes:
            self.quotes = 1
            self._unquote()
        self.result.text = "".join(self.pieces).rstrip("\n ")

    def _text(self, node: LexborNode) -> None:
        text = node.text_content or ""
        if text[:1] in (_HIDE, _SHOW, _QUOTE, _UNQUOTE, _HISTORY):
            self._turn(text[0])
            return
        if self.hidden > 0:
            self.result.hidden_chars += len(text)
            return
        parent = node.parent
        if "\n" in text and parent is not None and parent.tag == "pre":
            self._append(text)
            return
        if text[:1].isspace():
            self.needs_space = True
        words = " ".join(text.split())
        if words:
            self._append(words)
            self.needs_space = text[-1:].isspace()

    def _turn(self, mark: str) -> None:
        if mark == _HIDE:
            self.hidden += 1
        elif mark == _SHOW:
            self.hidden -= 1
        elif mark == _UNQUOTE:
            self._unquote()
        else:
            if self.quotes == 0:
                self._break_line()
                self.quote_start = self.length
            # After a history mark the quote is never closed.
            self.quotes += 1 if mark == _QUOTE else 1_000_000

    def _unquote(self) -> None:
        self.quotes -= 1
        if self.quotes == 0 and self.length > self.quote_start:
            self.result.quoted.append((self.quote_start, self.length))

    def _break_line(self) -> None:
        if not self.at_line_start:
            self.pieces.append("\n")
            self.length += 1
            self.at_line_start = True
        self.needs_space = False

    def _append(self, text: str) -> None:
        if self.needs_space and not self.at_line_start:
            text = " " + text
        self.pieces.append(text)
        self.length += len(text)
        self.needs_space = False
        self.at_line_start = False
