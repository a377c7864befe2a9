"""Signatures as the Standard Webhooks specification has them."""

from __future__ import annotations

import base64

import pytest

from workers.errors import SettingsError
from workers.webhooks.signing import key_of, signed_headers

# The example that the reference libraries of the specification test themselves by.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_reference_libraries() -> None:
    headers = signed_headers(
        [key_of(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_replaced_both_sign() -> None:
    new = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    both = signed_headers([key_of(new), key_of(SECRET)], "msg_1", 1, b"{}")["webhook-signature"]
    alone = signed_headers([key_of(SECRET)], "msg_1", 1, b"{}")["webhook-signature"]
    first, second = both.split(" ")
    assert second == alone and first.startswith("v1,") and first != second


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_not base64!",
        SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_ñandú",
    ],
)
def test_a_secret_of_another_form_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(SettingsError, match="24 to 64 random bytes") as refused:
        key_of(secret)
    assert not secret.removeprefix("whsec_") or secret.removeprefix("whsec_") not in str(refused.value)
