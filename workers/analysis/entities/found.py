"""What an entity is, before it is known whether it lies in quoted text."""

from __future__ import annotations

from typing import Literal, NamedTuple

EntityType = Literal["email", "phone", "amount", "date", "url", "iban", "vat_id", "reference"]
Value = str | dict[str, str | None]


class Found(NamedTuple):
    """A span of the text and what it means; `value` is an amount's dict or the normal form of the others."""

    type: EntityType
    start: int
    end: int
    value: Value
