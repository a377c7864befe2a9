"""What Graph's answers mean to us."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from multidict import CIMultiDict

from workers.errors import (
    BadRequest,
    Conflict,
    DeltaLinkExpired,
    MailboxUnavailable,
    NotFound,
    PermanentError,
    TemporaryError,
    Throttled,
)
from workers.graph.replies import Reply, code_of, error_of, retry_after_of

DELTA = "GET /users/{id}/mailFolders/inbox/messages/delta"


def refused(status: int, code: str, **headers: str) -> Reply:
    body = orjson.dumps({"error": {"code": code, "message": "Fälle für soporte@acme.example"}})
    return Reply(status, CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()}), body)


def test_the_innermost_code_counts_whatever_its_key_is_called() -> None:
    for inner in ("innerError", "innererror"):
        nested = {"code": "UnknownError", inner: {"code": "TooMany", inner: {"code": "MailboxConcurrency"}}}
        assert code_of(orjson.dumps({"error": nested})) == "MailboxConcurrency"


def test_a_lost_sync_state_is_heard_of_in_any_of_the_codes() -> None:
    for codes in (["SyncStateNotFound", "ErrorBadRequest"], ["BadRequest", "ResyncRequired"]):
        outer, inner = codes
        body = orjson.dumps({"error": {"code": outer, "innerError": {"code": inner}}})
        assert type(error_of(Reply(404, {}, body), DELTA)) is DeltaLinkExpired


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'"x"', b'{"error":"x"}', b'{"error":{"code":5}}', b"null"]
)
def test_an_error_without_a_code_has_none(body: bytes) -> None:
    assert code_of(body) == ""


@pytest.mark.parametrize(
    ("status", "code", "call", "error"),
    [
        (410, "anything", DELTA, DeltaLinkExpired),
        (400, "SyncStateNotFound", DELTA, DeltaLinkExpired),
        (404, "resyncRequired", DELTA, DeltaLinkExpired),
        (410, "Gone", "PATCH /subscriptions/{id}", NotFound),
        (404, "ErrorItemNotFound", DELTA, NotFound),
        (404, "MailboxNotEnabledForRESTAPI", DELTA, MailboxUnavailable),
        (404, "ErrorInvalidUser", DELTA, MailboxUnavailable),
        (404, "ResourceNotFound", DELTA, MailboxUnavailable),
        (404, "Request_ResourceNotFound", "PATCH /users/{id}/messages/{id}", MailboxUnavailable),
        (404, "ResourceNotFound", "PATCH /subscriptions/{id}", NotFound),
        (400, "ErrorInvalidIdMalformed", "GET /users/{id}/messages/{id}", NotFound),
        (400, "ErrorInvalidUrlQuery", DELTA, BadRequest),
        (409, "Conflict", "POST /subscriptions", Conflict),
        (429, "TooManyRequests", DELTA, Throttled),
        (408, "RequestTimeout", DELTA, TemporaryError),
        (599, "", DELTA, TemporaryError),
        (302, "", DELTA, PermanentError),
        (413, "", DELTA, PermanentError),
    ],
)
def test_status_and_code_decide(status: int, code: str, call: str, error: type) -> None:
    assert type(error_of(refused(status, code), call)) is error


def test_an_error_names_the_call_and_its_request_id_but_never_repeats_the_message() -> None:
    text = str(error_of(refused(404, "ErrorItemNotFound", request_id="r-1"), DELTA))
    assert "ErrorItemNotFound" in text
    assert "r-1" in text
    assert "acme.example" not in text


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_of("17") == 17
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 55 < (retry_after_of(later) or 0) <= 60
    assert retry_after_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    for nothing in (None, "", "soon", "-5"):
        assert retry_after_of(nothing) is None


@pytest.mark.parametrize("body", [b'{"value": [', b"[]", b"null"])
def test_an_answer_that_is_no_whole_object_is_tried_again(body: bytes) -> None:
    with pytest.raises(TemporaryError):
        Reply(200, {}, body).json()


def test_no_body_is_no_content() -> None:
    assert Reply(202).json() is None
