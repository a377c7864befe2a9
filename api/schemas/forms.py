"""What all forms share: camelCase on the wire, unknown fields refused, ids opaque and bounded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel


class Given(BaseModel):
    """What a caller sends: exact types, nothing beyond what is declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class Shown(BaseModel):
    """What we answer."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=False
    )


# Graph's ids are opaque: any printable text without spaces, and far shorter than this.
MessageId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,512}$")]
OrganizationId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MailboxAddress = Annotated[str, StringConstraints(min_length=3, max_length=254)]
Priority = Literal["urgent", "high", "normal", "low"]
