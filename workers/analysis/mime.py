"""MIME bodies: the readable parts of a raw message and the names of its attachments.

Own splitter instead of the standard library's parser: that one costs time in proportion to lines times
nesting,
which a hostile 1 MB message turns into seconds, and it raises on unknown charsets.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import decode_rfc2231
from html import escape
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from workers.analysis.charsets import to_text
from workers.analysis.headers import lenient_base64, read_headers

MAX_BYTES = 4_000_000
MAX_TEXT_BYTES = 1_000_000
MAX_HEADER_BYTES = 256_000
MAX_DEPTH = 8
MAX_PARTS = 100

Headers = tuple[tuple[str, str], ...]
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_NO_HEADER_LINE = re.compile(rb"^(?![!-9;-~]{1,100}[ \t]{0,8}:|[ \t]|From ).*$", re.MULTILINE)
_KNOWN_HEADER = re.compile(
    rb"^(?:from|to|cc|subject|date|content-type|mime-version|message-id|received|return-path):",
    re.IGNORECASE | re.MULTILINE,
)
_PARAMETER = re.compile(r';\s{0,80}([A-Za-z0-9*_-]{1,40})\s{0,8}=\s{0,8}("[^"]{0,1000}"|[^;\s"]{0,1000})')
_NO_HTML_READER = re.compile(
    r"(?i)(?:support|soporta|view|display|muestra|mostrar|ver|visualizar)[^.\n]{0,60}html|html[^.\n]{0,60}(?:support|soporta|view|capable|compatible)"
)
_REST_OF_LINE = re.compile(rb"(--)?[ \t]*(?=\r?\n|\Z)")
_UNLABELLED_BOUNDARY = re.compile(rb"(?:^|\n)--([^\s-][^\r\n]{3,70}?)[ \t]*\r?\ncontent-", re.IGNORECASE)


@dataclass(slots=True)
class Parsed:
    """What a raw message holds. `attachments`: (name, content type, size in bytes)."""

    headers: Headers = ()
    text: str = ""
    html: str = ""
    """The HTML body; when `text` is not empty, the richer form of the same content."""
    attachments: list[tuple[str, str, int]] = field(default_factory=list)
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Progress:
    attachments: list[tuple[str, str, int]] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    parts: int = 0


class _Body(NamedTuple):
    """One shown part: plain text, HTML, or both where the sender wrote alternatives."""

    text: str = ""
    html: str = ""


def read(raw: bytes) -> Parsed:
    """Read a raw message of any quality. Sizes beyond the limits above are cut with a note."""
    progress = _Progress()
    if len(raw) > MAX_BYTES:
        raw = raw[:MAX_BYTES]
        progress.cut.append(f"message cut to {MAX_BYTES} bytes")
    raw = raw.lstrip(b"\r\n")
    # mbox separator, also escaped as ">From ".
    if raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2]
    headers, body = _split(raw)
    bodies = _read_part(headers, body, progress, depth=0)
    text, html = _joined(bodies)
    return Parsed(headers, text, html, progress.attachments, tuple(dict.fromkeys(progress.cut)))


def _joined(bodies: list[_Body]) -> tuple[str, str]:
    """All shown parts in order. Where one of them is HTML alone, the whole has to be HTML."""
    if all(body.text or not body.html for body in bodies):
        html = bodies[0].html if len(bodies) == 1 else ""
        return "\n".join(body.text for body in bodies), html
    parts = (body.html or f"<pre>{escape(body.text)}</pre>" for body in bodies)
    return "", "\n".join(parts)


def _split(raw: bytes) -> tuple[Headers, bytes]:
    head = raw[:MAX_HEADER_BYTES]
    if head.startswith((b"\n", b"\r\n")):
        return (), raw.lstrip(b"\r\n")
    end = _END_OF_HEADERS.search(head)
    block = head[: end.start()] if end else head
    stray = _NO_HEADER_LINE.search(block)
    if stray is not None and not _KNOWN_HEADER.search(block, stray.end()):
        # No blank line between headers and body: the body starts where lines stop being headers.
        return read_headers(block[: stray.start()]), raw[stray.start() :]
    return read_headers(block), raw[end.end() :] if end else raw[len(block) :]


def _read_part(headers: Headers, body: bytes, progress: _Progress, *, depth: int) -> list[_Body]:
    progress.parts += 1
    if progress.parts > MAX_PARTS or depth > MAX_DEPTH:
        progress.cut.append("more MIME parts or deeper nesting than are read")
        return []
    by_name = {name.lower(): value for name, value in reversed(headers)}
    kind, parameters = _value_and_parameters(by_name.get("content-type", ""))
    disposition, named = _value_and_parameters(by_name.get("content-disposition", ""))
    name = named.get("filename") or parameters.get("name", "")
    if "/" not in kind:
        kind = "text/plain"
    if kind.startswith("multipart/"):
        bodies = [
            found
            for piece in _pieces(body, parameters.get("boundary", ""))
            for found in _read_part(*_split(piece), progress, depth=depth + 1)
        ]
        if bodies or progress.parts > 1 or progress.attachments:
            return _alternatives(bodies) if kind == "multipart/alternative" else bodies
        kind = "text/plain"
    is_shown = disposition != "attachment" and (not name or disposition == "inline")
    if kind in ("text/plain", "text/html") and is_shown:
        text = _decoded_text(body, by_name, parameters.get("charset"), progress)
        is_html = kind == "text/html" or text[:200].lstrip().lower().startswith(("<html", "<!doctype html"))
        return [_Body(html=text) if is_html else _Body(text=text)]
    progress.attachments.append((name or _name_for(kind), kind, len(body)))
    return []


def _alternatives(bodies: list[_Body]) -> list[_Body]:
    """The plain form for reading, unless it only says that the HTML form has to be read."""
    plain = next((body.text for body in bodies if body.text.strip()), "")
    html = next((body.html for body in bodies if body.html.strip()), "")
    is_excuse = len(plain) < 300 and (len(plain.split()) < 4 or _NO_HTML_READER.search(plain) is not None)
    if html and is_excuse:
        return [_Body(html=html)]
    return [_Body(text=plain, html=html)]


def _name_for(kind: str) -> str:
    return {"text/calendar": "invite.ics", "message/rfc822": "message.eml"}.get(kind, "")


def _pieces(body: bytes, boundary: str) -> Iterator[bytes]:
    """Parts between boundary lines; the preamble is left out, a missing closing line is accepted."""
    marker = boundary.encode("utf-8", "surrogateescape")
    if not marker or b"--" + marker not in body:
        guessed = _UNLABELLED_BOUNDARY.search(body[:20_000])
        if guessed is None:
            return
        marker = guessed[1]
    start: int | None = None
    for begin, end, is_last in _boundary_lines(body, b"--" + marker):
        if start is not None:
            yield _after_line(body, start, begin)
        if is_last:
            return
        start = end
    if start is not None:
        yield _after_line(body, start, len(body))


def _boundary_lines(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """Lines that are the delimiter alone: where they begin (with the line break before), end, and if it is
    the closing one."""
    # Searching for plain bytes and then looking around is far faster than one pattern over all lines.
    at = body.find(delimiter)
    while at >= 0:
        rest = _REST_OF_LINE.match(body, at + len(delimiter))
        if rest is not None and (at == 0 or body[at - 1 : at] == b"\n"):
            begin = at - (at > 0) - (body[at - 2 : at] == b"\r\n")
            yield begin, rest.end(), rest[1] is not None
        at = body.find(delimiter, at + len(delimiter))


def _after_line(body: bytes, start: int, end: int) -> bytes:
    """Skip the line break that ends the boundary line, but not the empty line of a part without headers."""
    if body.startswith(b"\r\n", start):
        start += 2
    elif body.startswith(b"\n", start):
        start += 1
    return body[start:end]


def _value_and_parameters(header: str) -> tuple[str, dict[str, str]]:
    """`text/plain; charset=x` as ("text/plain", {"charset": "x"}), RFC 2231 continuations joined."""
    value = header.partition(";")[0].strip().lower()
    parameters: dict[str, str] = {}
    for name, quoted in _PARAMETER.findall(header[:8_000]):
        key, content = name.lower(), quoted.strip('"')
        base, star, _ = key.partition("*")
        if not star:
            parameters.setdefault(key, content)
        else:
            piece = _extended(content) if key.endswith("*") else content
            parameters[base] = parameters.get(base, "") + piece
    return value, parameters


def _extended(value: str) -> str:
    charset, _, text = decode_rfc2231(value)
    return to_text(unquote_to_bytes(text), charset)


def _decoded_text(body: bytes, headers: dict[str, str], charset: str | None, progress: _Progress) -> str:
    if len(body) > MAX_TEXT_BYTES:
        body = body[:MAX_TEXT_BYTES]
        progress.cut.append(f"text part cut to {MAX_TEXT_BYTES} bytes")
    encoding = headers.get("content-transfer-encoding", "").strip().lower()
    if encoding == "base64":
        data = lenient_base64(body)
    elif encoding == "quoted-printable":
        data = quopri.decodestring(body)
    else:
        data = body
    return to_text(data, charset).replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
