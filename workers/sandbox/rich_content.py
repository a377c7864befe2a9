"""The encrypted content of rich notifications (C/change-notifications-with-resource-data)."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from hashlib import sha256
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from workers.sandbox.calls import GraphProblem

_KEY_BYTES = 32
_IV_BYTES = 16


def read_certificate(text: str) -> x509.Certificate:
    """A base64 X.509 certificate with an RSA key of 2048-4096 bits; GraphProblem 400."""
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        key = certificate.public_key()
    except (binascii.Error, ValueError) as error:
        raise GraphProblem(
            400, "InvalidRequest", "The encryptionCertificate is not a base64 X.509 certificate."
        ) from error
    if not isinstance(key, rsa.RSAPublicKey) or not 2048 <= key.key_size <= 4096:
        raise GraphProblem(
            400, "InvalidRequest", "The encryptionCertificate needs an RSA key of 2048 to 4096 bits."
        )
    return certificate


def encrypted(
    content: dict[str, Any], certificate: x509.Certificate, certificate_id: str | None
) -> dict[str, Any]:
    """AES-256-CBC (the IV is the key's start), HMAC-SHA256, and the key wrapped by RSA-OAEP with SHA-1."""
    key = os.urandom(_KEY_BYTES)
    padder = PKCS7(algorithms.AES.block_size).padder()
    padded = padder.update(orjson.dumps(content, option=orjson.OPT_UTC_Z)) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:_IV_BYTES])).encryptor()
    data = encryptor.update(padded) + encryptor.finalize()
    public_key = certificate.public_key()
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise TypeError("an RSA certificate is needed")
    sha1 = hashes.SHA1()  # noqa: S303 - Graph's choice
    wrapped = public_key.encrypt(key, padding.OAEP(padding.MGF1(sha1), sha1, None))
    return {
        "data": base64.b64encode(data).decode(),
        "dataKey": base64.b64encode(wrapped).decode(),
        "dataSignature": base64.b64encode(hmac.digest(key, data, sha256)).decode(),
        "encryptionCertificateId": certificate_id,
        "encryptionCertificateThumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - Graph's choice
    }
