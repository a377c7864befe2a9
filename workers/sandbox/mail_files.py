"""Letters from .eml files, mbox files and folders of them; other files of a folder are passed over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from workers.sandbox.message import Letter
from workers.sandbox.mime import read_letter

SAMPLES = Path(__file__).parent / "samples"
_MBOX_SUFFIXES = (".mbox", ".mbx")
# With a time of day (RFC 4155), or else with a header below: text that nobody quoted does not split a mail.
_FROM_LINE = re.compile(rb"(?m)^From .*(?:\d:\d\d.*\r?\n|\r?\n(?=[!-9;-~]+[ \t]*:))")
_QUOTED_FROM = re.compile(rb"(?m)^>(>*From )")


def letters_in(paths: Iterable[Path]) -> Iterator[Letter]:
    """Every mail of the paths in order; FileNotFoundError for a path that is not there."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and (file.suffix.lower() == ".eml" or _is_mbox(file)):
                    yield from _letters_of(file)
        else:
            yield from _letters_of(path)


def _letters_of(file: Path) -> Iterator[Letter]:
    content = file.read_bytes()
    if file.suffix.lower() != ".eml" and content.startswith(b"From "):
        yield from (read_letter(raw) for raw in split_mbox(content))
    elif content.strip():
        yield read_letter(content)


def split_mbox(content: bytes) -> Iterator[bytes]:
    """The mails of an mbox, `>From ` lines unquoted (RFC 4155 and the mboxrd habit)."""
    for chunk in _FROM_LINE.split(content):
        if chunk.strip():
            yield _QUOTED_FROM.sub(rb"\1", chunk)


def arriving_now(letters: Iterable[Letter]) -> Iterator[Letter]:
    """The letters as received now, for those who watch from now on; their own date stays in sentDateTime."""
    # The next whole second: Exchange keeps seconds, and "now" cut down to one would lie before the start.
    moment = (datetime.now(UTC) + timedelta(seconds=1)).replace(microsecond=0)
    for letter in letters:
        letter.received_at = moment
        yield letter


def _is_mbox(file: Path) -> bool:
    if file.suffix.lower() in _MBOX_SUFFIXES:
        return True
    with file.open("rb") as opened:
        start = opened.read(5)
    return not file.suffix and start == b"From "
