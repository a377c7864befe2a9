"""What a request body may hold: an unknown property or a wrong type is refused with 400, as by Graph."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from workers.sandbox.calls import GraphProblem, bad_body
from workers.sandbox.extended_properties import canonical_id
from workers.sandbox.message import ADDRESS

Check = Callable[[Any, str], None]


def _fits(kind: type | tuple[type, ...], name: str, *, nullable: bool = False) -> Check:
    def check(value: Any, path: str) -> None:
        if value is None and nullable:
            return
        if not isinstance(value, kind):
            raise bad_body(f"Cannot convert the value of '{path}' to the expected type '{name}'.")

    return check


def one_of(*values: str) -> Check:
    """One of an enumeration's members."""

    def check(value: Any, path: str) -> None:
        if value not in values:
            raise bad_body(
                f"Requested value '{value}' was not found for '{path}'. Expected: {', '.join(values)}."
            )

    return check


def list_of(element: Check) -> Check:
    """A JSON array of such elements."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise bad_body(f"Cannot convert the value of '{path}' to the expected type 'Collection'.")
        for one in value:
            element(one, path)

    return check


def object_of(properties: Mapping[str, Check], type_name: str, *, needs: tuple[str, ...] = ()) -> Check:
    """A JSON object with no other properties than these; `@odata.type` is let through."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise bad_body(f"Cannot convert the value of '{path}' to the expected type '{type_name}'.")
        for name, content in value.items():
            if name == "@odata.type":
                continue
            if name not in properties:
                raise bad_body(
                    f"The property '{name}' does not exist on type '{type_name}'. Make sure to only use "
                    "property names that are defined by the type."
                )
            properties[name](content, name)
        for name in needs:
            if name not in value:
                raise bad_body(f"The property '{name}' of '{path}' is required.")

    return check


def check_body(body: Any, check: Check, name: str = "request") -> None:
    """Raise GraphProblem 400 if the body is not what the check allows."""
    check(body, name)


def _a_date(value: Any, path: str) -> None:
    try:
        datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError as error:
        raise bad_body(
            f"Cannot convert the literal '{value}' of '{path}' to the expected type 'Edm.DateTimeOffset'."
        ) from error


def _some_base64(value: Any, path: str) -> None:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise bad_body(f"Cannot convert the value of '{path}' to the expected type 'Edm.Binary'.") from error


def _extended_id(value: Any, path: str) -> None:
    a_text(value, path)
    canonical_id(value)


def _an_address(value: Any, path: str) -> None:
    a_text(value, path)
    if not ADDRESS.match(value):
        raise GraphProblem(400, "ErrorInvalidRecipients", f"'{value}' is not a valid recipient address.")


a_text = _fits(str, "Edm.String")
_text_or_null = _fits(str, "Edm.String", nullable=True)
a_boolean = _fits(bool, "Edm.Boolean")
a_date = _a_date

_RECIPIENT = object_of(
    {
        "emailAddress": object_of(
            {"address": _an_address, "name": _text_or_null}, "emailAddress", needs=("address",)
        )
    },
    "recipient",
    needs=("emailAddress",),
)
_RECIPIENTS = list_of(_RECIPIENT)
_DATE_AND_ZONE = object_of({"dateTime": a_text, "timeZone": a_text}, "dateTimeTimeZone")
_FLAG = object_of(
    {
        "flagStatus": one_of("notFlagged", "flagged", "complete"),
        "startDateTime": _DATE_AND_ZONE,
        "dueDateTime": _DATE_AND_ZONE,
        "completedDateTime": _DATE_AND_ZONE,
    },
    "followupFlag",
)
_ATTACHMENT = object_of(
    {
        "name": a_text,
        "contentType": _text_or_null,
        "contentBytes": _some_base64,
        "contentId": _text_or_null,
        "contentLocation": _text_or_null,
        "isInline": a_boolean,
        "size": _fits(int, "Edm.Int32"),
    },
    "fileAttachment",
    needs=("name", "contentBytes"),
)
ALWAYS_WRITABLE: dict[str, Check] = {
    "categories": list_of(a_text),
    "importance": one_of("low", "normal", "high"),
    "inferenceClassification": one_of("focused", "other"),
    "isRead": a_boolean,
    "flag": _FLAG,
    "singleValueExtendedProperties": list_of(
        object_of(
            {"id": _extended_id, "value": a_text}, "singleValueLegacyExtendedProperty", needs=("id", "value")
        )
    ),
}
DRAFT_WRITABLE: dict[str, Check] = {
    "subject": _text_or_null,
    "body": object_of(
        {"contentType": one_of("text", "html", "Text", "HTML"), "content": _text_or_null}, "itemBody"
    ),
    "toRecipients": _RECIPIENTS,
    "ccRecipients": _RECIPIENTS,
    "bccRecipients": _RECIPIENTS,
    "replyTo": _RECIPIENTS,
    "from": _RECIPIENT,
    "sender": _RECIPIENT,
    "internetMessageId": a_text,
    "isDeliveryReceiptRequested": a_boolean,
    "isReadReceiptRequested": a_boolean,
}
MESSAGE = object_of(
    {
        **ALWAYS_WRITABLE,
        **DRAFT_WRITABLE,
        "internetMessageHeaders": list_of(
            object_of({"name": a_text, "value": a_text}, "internetMessageHeader")
        ),
        "attachments": list_of(_ATTACHMENT),
    },
    "message",
)
MESSAGE_CHANGE = object_of({**ALWAYS_WRITABLE, **DRAFT_WRITABLE}, "message")
DESTINATION = object_of({"destinationId": a_text, "DestinationId": a_text}, "move")
REPLY = object_of(
    {"comment": _text_or_null, "message": MESSAGE, "Comment": _text_or_null, "Message": MESSAGE}, "reply"
)
FORWARD = object_of(
    {
        "comment": _text_or_null,
        "message": MESSAGE,
        "toRecipients": _RECIPIENTS,
        "Comment": _text_or_null,
        "Message": MESSAGE,
        "ToRecipients": _RECIPIENTS,
    },
    "forward",
)
SEND_MAIL = object_of(
    {"message": MESSAGE, "saveToSentItems": a_boolean, "Message": MESSAGE, "SaveToSentItems": a_boolean},
    "sendMail",
)
CATEGORY = object_of(
    {"displayName": a_text, "color": one_of("none", *(f"preset{number}" for number in range(25)))},
    "outlookCategory",
    needs=("displayName",),
)
SUBSCRIPTION = object_of(
    {
        "changeType": a_text,
        "notificationUrl": a_text,
        "lifecycleNotificationUrl": a_text,
        "resource": a_text,
        "expirationDateTime": a_date,
        "clientState": _text_or_null,
        "latestSupportedTlsVersion": one_of("v1_0", "v1_1", "v1_2", "v1_3"),
        "includeResourceData": a_boolean,
        "encryptionCertificate": a_text,
        "encryptionCertificateId": a_text,
    },
    "subscription",
    needs=("changeType", "notificationUrl", "resource", "expirationDateTime"),
)
SUBSCRIPTION_CHANGE = object_of({"expirationDateTime": a_date, "notificationUrl": a_text}, "subscription")


def camel_case(body: dict[str, Any]) -> dict[str, Any]:
    """An action's parameters in camelCase (the CSDL spells them Comment, Message, DestinationId)."""
    return {name[0].lower() + name[1:]: value for name, value in body.items()}
