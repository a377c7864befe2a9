"""Large HTML made harmless before it is parsed.

An HTML parser repeats open formatting elements in every new block and walks up all open elements to place a
tag, so 400 kB of unclosed tags can cost it minutes or gigabytes. Few tags keep their name here, and only a
bounded number of those that nest; the others become void elements, which hold nothing open. The text stays.
"""

from __future__ import annotations

import re

# So few tags can do no harm, whatever they are.
HARMLESS_TAGS = 300
MAX_NESTING_TAGS = 2_000
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,20})")
_KEPT_NAMES = "html head body title style script meta link base br img a"
_INLINE_NAMES = "span td th noscript template select input"
_BLOCK_NAMES = """
table thead tbody tfoot tr address article aside blockquote center dd div dl dt fieldset footer form h1 h2 h3
h4 h5 h6 header li main nav ol p pre section ul
"""
_KEPT, _INLINE, _BLOCKS = (frozenset(n.split()) for n in (_KEPT_NAMES, _INLINE_NAMES, _BLOCK_NAMES))


def tamed(html: str) -> tuple[str, str | None]:
    """The same text with tags that a parser handles in linear time, and a note if structure was lost."""
    if html.count("<") <= HARMLESS_TAGS:
        return html, None
    tamer = _Tamer()
    html = _TAG.sub(tamer.rename, html)
    too_many = tamer.nesting > MAX_NESTING_TAGS
    return html, f"HTML after {MAX_NESTING_TAGS} tags read as plain lines" if too_many else None


class _Tamer:
    def __init__(self) -> None:
        self.nesting = 0

    def rename(self, tag: re.Match[str]) -> str:
        name = tag[2].lower()
        if name in _KEPT:
            return tag[0]
        cell = ""
        is_block = name in _BLOCKS
        if is_block or name in _INLINE:
            self.nesting += 1
            if self.nesting <= MAX_NESTING_TAGS:
                return tag[0]
            if self.nesting == MAX_NESTING_TAGS + 1:
                # Between the cells of a table, a parser looks through all open elements for each further tag.
                cell = "<td>"
        return f"{cell}<br" if is_block or name == "hr" else f"{cell}<wbr"
