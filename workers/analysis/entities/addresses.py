"""Email addresses and URLs.

Both are looked for around a rare mark ("@", "://", "www.", a dot before a known top-level domain), so that
the
time stays linear in the text whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.analysis.entities.found import Found

_LOCAL_PART = re.compile(r"[\w.+%&=~!#*'-]{1,64}\Z")
_DOMAIN = re.compile(r"(?:[^\W_](?:[^\W_]|-){0,62}\.){1,8}[^\W\d_]{2,24}(?![\w@])")
_DOMAIN_LITERAL = re.compile(r"\[(?:\d{1,3}\.){3}\d{1,3}\]")
# What the pattern engine can skip to comes first, the rest of the mark is looked for around it.
_URL_MARK = re.compile(r"[:wW](?:(?<=:)//|(?<![\w][wW])[wW]{2}\.)")
_SCHEME = re.compile(r"\b(?:https?|ftp)\Z", re.IGNORECASE)
_URL_BODY = re.compile(r"[^\s<>\"“”«»|\\^`{}\u200b]{1,2000}")
_LABEL = r"[^\W_](?:[^\W]|-){0,62}"
_HOST = re.compile(
    rf"(?:[^\s/?#@]{{0,100}}@)?(?:(?:{_LABEL}\.){{1,10}}(?!xxx\b)[^\W\d_](?:[^\W_]|-){{1,24}}|localhost"
    r"|(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:]{2,45}\])(?::\d{1,5})?(?=[/?#]|\Z)",
    re.IGNORECASE,
)
_TOP_LEVELS = (
    "com|net|org|edu|gov|mil|int|info|biz|eu|es|cat|gal|eus|mx|ar|cl|co|pe|uy|ec|ve|br|pt|fr|de|it|nl|be|at|ch|uk|ie|us|ca|au|nz"
    "|io|ai|app|dev|cloud|online|shop|store|site|tech|xyz|tv|cn|jp|kr|ru|pl|cz|se|fi|dk|gr|ro|hu|tr|za|sa|ae|example|test"
)
# The dot first: a literal is what the pattern engine searches fastest.
_TOP_LEVEL = re.compile(rf"\.(?:{_TOP_LEVELS})(?![\w@-])")
_BARE_DOMAIN = re.compile(
    rf"(?<![\w@.\-/])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.){{1,5}}(?:{_TOP_LEVELS})(?![\w@-])(?!\.[a-z0-9])"
    r"(?::\d{1,5}(?!\d))?(?:/[^\s<>\"“”«»|\\^`{}]{0,1000})?"
)
# A dot before these is more often a missing space between sentences than a domain.
_ALSO_WORDS = frozenset(
    ["de", "it", "at", "be", "us", "co", "ca", "es", "no", "me", "in", "is", "am", "to", "so"]
)
# One without a host that is this long is no slip of the pen; others may begin inside of shorter ones.
_LONGEST_ODD_URL = 300
_TRAILING = ".,;:!?'\"”’»…*_"


def find_urls(text: str) -> Iterator[Found]:
    """URLs with a scheme or "www.", and bare domains of usual top-level domains."""
    end_of_last = 0
    # A plain search is far faster than the pattern, and most mails have no link.
    may_have_link = "://" in text or "www." in text.lower()
    for mark in _URL_MARK.finditer(text) if may_have_link else ():
        start = _start_of_url(text, mark)
        body = _URL_BODY.match(text, start) if start is not None and start >= end_of_last else None
        if body is None:
            continue
        url = _trimmed(body[0])
        host_start = url.find("://") + 3 if "://" in url[:8] else 0
        if _HOST.match(url, host_start):
            end_of_last = body.start() + len(url)
            yield Found("url", body.start(), end_of_last, url)
        elif len(url) > _LONGEST_ODD_URL:
            end_of_last = body.end()
    end_of_last = 0
    start = dot = 0
    for top_level in _TOP_LEVEL.finditer(text):
        start, dot = _start_of_host(text, top_level.start(), (start, dot)), top_level.start()
        bare = _BARE_DOMAIN.match(text, start) if start >= end_of_last else None
        if bare is None:
            continue
        end_of_last = bare.end()
        url = _trimmed(bare[0])
        labels = url.partition("/")[0].partition(":")[0].split(".")
        if len(labels) == 2 and labels[1] in _ALSO_WORDS and not _reads_as_domain(text, bare, labels):
            continue
        yield Found("url", bare.start(), bare.start() + len(url), url)


def _start_of_url(text: str, mark: re.Match[str]) -> int | None:
    if mark[0] != "://":
        return mark.start()
    scheme = _SCHEME.search(text, max(0, mark.start() - len("https")), mark.start())
    return scheme.start() if scheme else None


def _start_of_host(text: str, dot: int, last: tuple[int, int]) -> int:
    """Where the labels before a top-level domain begin; `last`: where those before the last one did, and its
    dot."""
    last_start, last_dot = last
    start = dot
    while start > last_dot and (text[start - 1].isalnum() or text[start - 1] in ".-"):
        start -= 1
    return max(dot - 200, last_start if start == last_dot else start)


def _reads_as_domain(text: str, bare: re.Match[str], labels: list[str]) -> bool:
    """Whether "acme.es" is meant as an address: followed by the end of something, not by a word."""
    if "/" in bare[0] or len(labels[0]) < 3:
        return "/" in bare[0]
    after = text[bare.end() : bare.end() + 2]
    return not (after[:1] == " " and after[1:].isalpha() and labels[1] != "es") and labels[1] not in (
        "is",
        "am",
        "so",
    )


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around it; brackets stay only in pairs."""
    while url:
        last = url[-1]
        if (
            last in _TRAILING
            or (last == ")" and url.count(")") > url.count("("))
            or (last == "]" and url.count("]") > url.count("["))
        ):
            url = url[:-1]
        else:
            break
    return url


def find_emails(text: str) -> Iterator[Found]:
    """Addresses as RFC 5321 allows them in practice: dot-atom before the @, a domain or [IPv4] after it."""
    at = text.find("@")
    while at >= 0:
        found = _email_around(text, at)
        if found is not None:
            yield found
        at = text.find("@", at + 1)


def _email_around(text: str, at: int) -> Found | None:
    domain = _DOMAIN.match(text, at + 1) or _DOMAIN_LITERAL.match(text, at + 1)
    local = _LOCAL_PART.search(text, max(0, at - 64), at) if domain else None
    if local is None or domain is None:
        return None
    start = local.start()
    while start < at and text[start] in "'*=#!&":
        start += 1
    name = text[start:at]
    if not name or name.startswith(".") or name.endswith(".") or ".." in name:
        return None
    # A longer run before it means that the local part was cut, which is no address.
    if start > 0 and at - start == 64 and text[start - 1].isalnum():
        return None
    return Found("email", start, domain.end(), text[start : domain.end()])
