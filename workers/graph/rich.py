"""Notifications that carry content: the keys it is encrypted to, and how to decrypt it.

As "Set up change notifications that include resource data" (Microsoft Graph documentation) has it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from workers.errors import BadRequest, PermanentError
from workers.graph.subscriptions import ContentKey

_KEY_BYTES = 32
_IV_BYTES = 16
_CERTIFICATE_LIFE = timedelta(days=3650)


@dataclass(frozen=True)
class PrivateContentKey:
    """A key pair for encrypted content: `public` goes into subscriptions, `private_pem` stays with us."""

    public: ContentKey
    private_pem: str


def new_content_key() -> PrivateContentKey:
    """A fresh RSA-2048 key, self-signed; keep the old one, notifications may be on their way."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "econeura notifications")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _CERTIFICATE_LIFE)
        .sign(key, hashes.SHA256())
    )
    public = ContentKey(
        id=certificate.fingerprint(hashes.SHA256()).hex(),
        certificate=base64.b64encode(certificate.public_bytes(Encoding.DER)).decode(),
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return PrivateContentKey(public, pem)


def decrypt(encrypted: Mapping[str, Any], private_pems: Mapping[str, str]) -> dict[str, Any]:
    """The resource data of a notification; `private_pems` are all our keys, by the id of their certificate.

    Raises PermanentError for a key we do not have, BadRequest for content that was not made by its rules.
    """
    pem = private_pems.get(str(encrypted.get("encryptionCertificateId")))
    if pem is None:
        raise PermanentError("content is encrypted to a key we do not have")
    try:
        data, wrapped, signature = (
            base64.b64decode(str(encrypted.get(name) or ""), validate=True)
            for name in ("data", "dataKey", "dataSignature")
        )
        key = _unwrapped(wrapped, pem)
        # Before decrypting: a wrong padding must never be what tells a forger how far he got.
        if not hmac.compare_digest(hmac.digest(key, data, hashlib.sha256), signature):
            raise BadRequest("the signature of encrypted content is wrong")
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:_IV_BYTES])).decryptor()
        unpadder = PKCS7(algorithms.AES.block_size).unpadder()
        padded = decryptor.update(data) + decryptor.finalize()
        content = orjson.loads(unpadder.update(padded) + unpadder.finalize())
    except (binascii.Error, ValueError):
        raise BadRequest("encrypted content cannot be read") from None
    if not isinstance(content, dict):
        raise BadRequest("encrypted content is no JSON object")
    return content


def _unwrapped(wrapped: bytes, pem: str) -> bytes:
    private_key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise PermanentError("a content key must be an RSA key")
    sha1 = hashes.SHA1()  # noqa: S303 - Graph's choice
    key = private_key.decrypt(wrapped, padding.OAEP(padding.MGF1(sha1), sha1, None))
    if len(key) != _KEY_BYTES:
        raise BadRequest("encrypted content has a key of the wrong size")
    return key
