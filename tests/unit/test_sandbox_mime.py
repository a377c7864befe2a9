"""Raw mail becomes a letter, however broken it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.sandbox.mail_files import SAMPLES, letters_in, split_mbox
from workers.sandbox.mime import read_letter


def mail(head: str, body: bytes = b"x") -> bytes:
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


def test_headers_are_decoded_and_kept_in_order_with_repetitions() -> None:
    letter = read_letter(
        mail(
            "Received: one\nReceived: two,\n folded\n"
            "From: =?utf-8?q?Jos=C3=A9?= <jose@x.example>\n"
            "To: a@x.example, =?iso-8859-1?q?Mar=EDa?= <m@x.example>\n"
            "Subject: =?utf-8?b?wqFIb2xhIQ==?= amigo\n"
            "List-Id: <l.example>\nReply-To: desk@x.example\nX-Priority: 1 (Highest)"
        )
    )
    assert letter.properties["subject"] == "¡Hola! amigo"
    assert letter.properties["from"]["emailAddress"] == {"name": "José", "address": "jose@x.example"}
    assert [one["emailAddress"]["name"] for one in letter.properties["toRecipients"]] == [
        "a@x.example",
        "María",
    ]
    assert letter.properties["replyTo"][0]["emailAddress"]["address"] == "desk@x.example"
    assert letter.properties["importance"] == "high"
    assert letter.headers[:2] == [("Received", "one"), ("Received", "two, folded")]
    assert ("List-Id", "<l.example>") in letter.headers


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ('text/plain; charset="utf-8"', "año".encode(), "año"),
        ("text/plain; charset=iso-8859-1", "año".encode("latin-1"), "año"),
        ("text/plain; charset=no-such-charset", "año".encode(), "año"),
        ("text/plain; charset=utf-8", "año".encode("latin-1"), "año"),
        ("text/plain", "año".encode("latin-1"), "año"),
        ('text/plain; charset="', b"abc", "abc"),
    ],
)
def test_a_body_is_read_whatever_its_charset_claims(content_type: str, body: bytes, text: str) -> None:
    letter = read_letter(mail(f"Content-Type: {content_type}\nContent-Transfer-Encoding: 8bit", body))
    assert letter.properties["body"] == {"contentType": "text", "content": text}


def test_html_goes_before_text_and_the_rest_is_attached() -> None:
    raw = mail(
        'Content-Type: multipart/mixed; boundary="b"',
        b"--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n"
        b"--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-Disposition: inline\r\nContent-ID: <c1>\r\n\r\nx\r\n"
        b'--b\r\nContent-Type: text/plain; name="=?utf-8?q?a=C3=B1o.txt?="\r\n\r\ntext\r\n'
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nz\r\n--b--\r\n",
    )
    letter = read_letter(raw)
    assert letter.properties["body"]["contentType"] == "html"
    assert "rich" in letter.properties["body"]["content"]
    names = [(one.name, one.content_type, one.is_inline) for one in letter.attachments]
    assert names == [
        ("invite.ics", "text/calendar", False),
        ("attachment.png", "image/png", True),
        ("año.txt", "text/plain", False),
        ("inner", "message/rfc822", False),
    ]
    assert b"Subject: inner" in letter.attachments[3].content


def test_names_are_read_even_where_nobody_encoded_them() -> None:
    for charset in ("utf-8", "latin-1"):
        raw = "From: Muñoz <m@x.example>\r\nSubject: mañana\r\n\r\nx".encode(charset)
        letter = read_letter(raw)
        assert letter.properties["from"]["emailAddress"]["name"] == "Muñoz"
        assert letter.properties["subject"] == "mañana"


def test_parts_without_their_boundary_are_read_as_text() -> None:
    letter = read_letter(mail("Content-Type: multipart/alternative", b"all there is"))
    assert (letter.properties["body"]["content"], letter.attachments) == ("all there is", [])


def test_dates_are_utc_and_nonsense_is_now() -> None:
    letter = read_letter(mail("Date: Mon, 16 Nov 2026 10:39:11 +0100"))
    assert letter.properties["sentDateTime"] == datetime(2026, 11, 16, 9, 39, 11, tzinfo=UTC)
    for nonsense in ("yesterday", "Mon, 99 Nov 2026 10:39:11 +0100", ""):
        found = read_letter(mail(f"Date: {nonsense}")).properties["sentDateTime"]
        assert abs((datetime.now(UTC) - found).total_seconds()) < 60


def test_the_thread_is_named_by_references() -> None:
    letter = read_letter(mail("References: <a@x> <b@x>\nIn-Reply-To: <b@x>"))
    assert letter.references == ("<a@x>", "<b@x>", "<b@x>")


@given(st.binary(max_size=400))
def test_no_bytes_break_it(noise: bytes) -> None:
    for raw in (
        noise,
        b"Subject: " + noise,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + noise,
    ):
        assert isinstance(read_letter(raw).properties["body"]["content"], str)


@given(st.text(max_size=60))
def test_no_header_breaks_it(value: str) -> None:
    head = "\n".join(
        f"{name}: {value}" for name in ("From", "To", "Date", "Subject", "Message-ID", "Content-Type")
    )
    assert isinstance(read_letter(head.encode("utf-8", "replace") + b"\n\nx").properties["subject"], str)


def test_an_mbox_is_split_and_unquoted() -> None:
    line = b"From a@x.example Sun Nov 22 14:43:00 2026\n"
    first, second = b"Subject: 1\n\n%s\n", b"Subject: 2\n\nFrom here on\n"
    content = line + first % b">From me\n>>From you" + b"\n" + line + second
    assert list(split_mbox(content)) == [first % b"From me\n>From you" + b"\n", second]
    assert list(split_mbox(b"From nobody\n" + second)) == [second]


def test_the_samples_are_varied_mail_of_nobody() -> None:
    letters = list(letters_in([SAMPLES]))
    assert len(letters) >= 40
    senders = [letter.properties["from"]["emailAddress"]["address"] for letter in letters]
    assert all(address.endswith(".example") for address in senders)
    assert len(set(senders)) == len(senders)
    kinds = {letter.properties["body"]["contentType"] for letter in letters}
    assert kinds == {"text", "html"}
    names = {name.lower() for letter in letters for name, _ in letter.headers}
    assert {"list-id", "auto-submitted", "in-reply-to"} <= names
    attached = {one.content_type for letter in letters for one in letter.attachments}
    assert {"text/calendar", "application/pdf", "message/delivery-status", "message/rfc822"} <= attached
    assert not any("\ufffd" in letter.properties["body"]["content"] for letter in letters)
