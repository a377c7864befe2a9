"""Reading mail in every form it comes in, broken ones included."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workers.analysis import mail_from_eml, mail_from_graph, mail_from_row


def test_graph_message_is_read() -> None:
    mail = mail_from_graph(
        {
            "id": "AAMk=",
            "subject": "Factura",
            "body": {"contentType": "html", "content": "<p>Hola</p>"},
            "from": {"emailAddress": {"name": "Ana", "address": "ana@acme.example"}},
            "replyTo": [{"emailAddress": {"address": "otra@acme.example"}}],
            "toRecipients": [{"emailAddress": {"name": "B", "address": "b@acme.example"}}],
            "internetMessageHeaders": [{"name": "List-Id", "value": "<x.acme.example>"}],
            "receivedDateTime": "2026-11-02T10:00:00Z",
            "importance": "high",
        }
    )
    assert (mail.id, mail.body_type, mail.importance) == ("AAMk=", "html", "high")
    assert mail.sender == ("Ana", "ana@acme.example")
    assert mail.reply_to[0].domain == "acme.example"
    assert mail.header("list-id") == "<x.acme.example>"
    assert mail.received_at == datetime(2026, 11, 2, 10, tzinfo=UTC)


def test_a_partial_graph_item_is_an_empty_mail() -> None:
    mail = mail_from_graph({"id": "x", "subject": None, "from": None, "toRecipients": None})
    assert (mail.subject, mail.body, mail.sender.address, mail.to) == ("", "", "", ())


def test_meeting_request_of_graph_counts_as_invitation() -> None:
    mail = mail_from_graph({"id": "x", "@odata.type": "#microsoft.graph.eventMessageRequest"})
    assert mail.attachments[0].content_type == "text/calendar"


def test_row_takes_headers_as_object_or_list() -> None:
    by_object = mail_from_row({"id": "1", "body": "x", "headers": {"X-A": ["1", "2"]}})
    by_list = mail_from_row({"id": "1", "body": "x", "headers": [{"name": "X-A", "value": "1"}]})
    assert by_object.headers == (("X-A", "1"), ("X-A", "2"))
    assert by_list.header("x-a") == "1"


@pytest.mark.parametrize(
    "sender",
    [
        "Ana López <ana@acme.example>",
        {"name": "Ana López", "address": "ana@acme.example"},
        ["Ana López <ana@acme.example>"],
    ],
)
def test_row_takes_senders_in_several_shapes(sender: object) -> None:
    assert mail_from_row({"from": sender}).sender == ("Ana López", "ana@acme.example")


@pytest.mark.parametrize("row", [{}, {"subject": 3, "body": None, "headers": 7, "to": 5, "attachments": "x"}])
def test_odd_rows_never_raise(row: dict[str, object]) -> None:
    assert mail_from_row(row).body == ""


def test_unknown_and_wrong_charsets_are_read_as_well_as_possible() -> None:
    labelled_wrong = "Content-Type: text/plain; charset=iso-8859-1\n\nEspaña".encode()
    unknown = b"Content-Type: text/plain; charset=nonsense-8\n\nEspa\xf1a"
    lying = b"Content-Type: text/plain; charset=utf-8\n\nEspa\xf1a est\xe1 aqu\xed, ma\xf1ana"
    assert mail_from_eml(labelled_wrong).body == "España"
    assert mail_from_eml(unknown).body == "España"
    assert mail_from_eml(lying).body == "España está aquí, mañana"


def test_encoded_words_are_joined_and_decoded() -> None:
    raw = (
        b"Subject: =?utf-8?Q?Reuni=C3=B3n?=\n =?UTF-8?B?IG1hw7FhbmE=?=\n"
        b"From: =?x-none?Q?Jos=E9?= <j@acme.example>\n\nx"
    )
    mail = mail_from_eml(raw)
    assert mail.subject == "Reunión mañana"
    assert mail.sender == ("José", "j@acme.example")


def test_plain_text_is_preferred_unless_it_is_an_excuse() -> None:
    def alternative(plain: str) -> bytes:
        return (
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n"
            f"{plain}\n--b\nContent-Type: text/html\n\n<p>Hello from the HTML part</p>\n--b--\n"
        ).encode()

    assert mail_from_eml(alternative("The same words in plain text")).body_type == "text"
    assert mail_from_eml(alternative("Your client does not support HTML mail.")).body_type == "html"
    assert mail_from_eml(alternative("")).body_type == "html"


def test_html_body_with_a_plain_list_footer_keeps_both() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>Body</p>\n"
        b"--b\nContent-Type: text/plain\n\n-- list footer\n--b--\n"
    )
    mail = mail_from_eml(raw)
    assert mail.body_type == "html"
    assert "Body" in mail.body
    assert "list footer" in mail.body


def test_attachments_and_invitations_are_named() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nText\n"
        b"--b\nContent-Type: application/pdf\nContent-Disposition: attachment;\n"
        b" filename*0*=utf-8''factura%20a%C3%B1o; filename*1*=%202026.pdf\n\nx\n"
        b"--b\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--"
    )
    mail = mail_from_eml(raw)
    assert [a.name for a in mail.attachments] == ["factura año 2026.pdf", "invite.ics"]
    assert mail.body.strip() == "Text"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        b"Subject: only",
        b"no header at all\njust text",
        b"Content-Type: multipart/mixed; boundary=\n\n--\n--\n",
        b"Content-Type: multipart/mixed; boundary=b\n\nnothing of it here",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nnever closed",
        b"Content-Transfer-Encoding: base64\n\n####",
        b"Date: yesterday\nFrom: <<<>>>\nTo: ,,,;;\n\nx",
        b"Content-Type: text/plain; charset*=x'y'z; name*0*=%zz\n\nx",
    ],
)
def test_broken_messages_never_raise(raw: bytes) -> None:
    mail_from_eml(raw)


def test_missing_blank_line_ends_the_headers_at_the_first_line_that_is_none() -> None:
    mail = mail_from_eml(b"Subject: Hi\nFrom: a@b.example\nThis is the body already.\nMore.")
    assert (mail.subject, mail.body) == ("Hi", "This is the body already.\nMore.")


def test_importance_comes_from_any_of_its_headers() -> None:
    assert mail_from_eml(b"X-Priority: 1 (Highest)\n\nx").importance == "high"
    assert mail_from_eml(b"Importance: Low\n\nx").importance == "low"
    assert mail_from_eml(b"Subject: x\n\nx").importance == "normal"


def test_an_unquoted_comma_in_a_display_name_makes_no_second_sender() -> None:
    mail = mail_from_row(
        {"from": "Ruiz, Ana <ana@acme.example>", "to": "Eva <e@b.example>, Gil, M. <m@b.example>"}
    )
    assert mail.sender == ("Ruiz, Ana", "ana@acme.example")
    assert [address for _, address in mail.to] == ["e@b.example", "m@b.example"]
