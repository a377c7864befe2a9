"""Bytes to text for mail, whose charset labels are often missing, misspelt or wrong."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

# Labels seen in real mail that Python does not know, or knows as something narrower than what senders mean.
_ALIASES = {
    "uft-8": "utf-8",
    "utf-8-strict": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "ks_c_5601-1987": "cp949",
    "ks-c-5601-1987": "cp949",
    "gb2312": "gb18030",
    "iso-gb2312": "gb18030",
    "x-gbk": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "x-unknown": "cp1252",
    "unknown-8bit": "cp1252",
    "windows-31j": "cp932",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
}
_SINGLE_BYTE = re.compile(r"cp\d+|iso8859|koi8|mac|latin|windows|ascii")


def to_text(data: bytes, charset: str | None) -> str:
    """Decode `data` as the label says unless the bytes prove it wrong; never raises.

    Bytes that are valid UTF-8 with multi-byte sequences are practically never anything else, so that reading
    wins over a single-byte label. What cannot be decoded becomes U+FFFD.
    """
    if data.isascii() and not _is_stateful(charset):
        return data.decode("ascii")
    name = _known(charset)
    if name is None or _SINGLE_BYTE.match(name):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode(name or "cp1252", "replace")
    try:
        return data.decode(name)
    except (UnicodeDecodeError, ValueError):
        pass
    # A cut-off multi-byte character must not turn a whole UTF-8 mail into mojibake.
    as_labelled = data.decode(name, "replace")
    if name == "utf-8" and as_labelled.count("\ufffd") > len(as_labelled) // 50 + 1:
        return data.decode("cp1252", "replace")
    return as_labelled


@lru_cache(maxsize=100)
def _is_stateful(charset: str | None) -> bool:
    label = (charset or "").lower()
    return label.startswith(("iso-2022", "utf-7", "unicode-1-1-utf-7", "utf-16", "utf-32", "hz"))


@lru_cache(maxsize=100)
def _known(charset: str | None) -> str | None:
    label = (charset or "").strip().strip("\"'").lower()
    try:
        info = codecs.lookup(_ALIASES.get(label, label))
    except (LookupError, ValueError):
        return None
    # Python also registers bytes-to-bytes codecs (zip, hex): no charset of any mail.
    return info.name if getattr(info, "_is_text_encoding", True) else None
