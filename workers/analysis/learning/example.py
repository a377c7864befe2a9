"""A mail that a person labelled, as the numbers that are kept of it: hashed features, no text."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import orjson
from numpy.typing import NDArray

from workers.analysis.features import dense_names, read_features
from workers.analysis.mail import Mail
from workers.analysis.text import read_text

OWN = "own"
"""The head that tells an organization's own categories; "" is its class of mail that is of none of them."""
HEADS = ("category", "urgency", "sentiment", OWN)


@dataclass(frozen=True, slots=True)
class Signature:
    """The features of a mail as the classifier takes them (see analysis/features.py), and nothing else."""

    rows: NDArray[np.int32]
    values: NDArray[np.float32]
    dense: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """About 3 kB for a mail of 2 kB."""
        named = {name: float(self.dense[at]) for at, name in enumerate(dense_names()) if self.dense[at]}
        header = {"hashing": _hashing(), "rows": len(self.rows), "dense": named}
        numbers = self.rows.astype("<i4").tobytes() + self.values.astype("<f4").tobytes()
        return zlib.compress(orjson.dumps(header) + b"\n" + numbers)

    @classmethod
    def from_bytes(cls, packed: bytes) -> Signature | None:
        """The signature, also after a change of the model; None where words were hashed in another way."""
        first, _, numbers = zlib.decompress(packed).partition(b"\n")
        header = orjson.loads(first)
        if header["hashing"] != _hashing():
            return None
        rows = np.frombuffer(numbers, dtype="<i4", count=header["rows"])
        values = np.frombuffer(numbers, dtype="<f4", offset=rows.nbytes)
        named = header["dense"]
        # By name: features that came or went with a newly trained model leave the others in place.
        dense = np.array([named.get(name, 0.0) for name in dense_names()], dtype=np.float32)
        return cls(rows, values, dense)


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled mail. `labels`: for each head that is known, the classes it may be of (one, for a plain
    label). `weight`: 1 for what a person said, less for what only seems so.
    """

    signature: Signature
    labels: Mapping[str, frozenset[str]]
    weight: float = 1.0


def signature_of(mail: Mail) -> Signature:
    """What is kept of a mail to learn from it."""
    features = read_features(mail, read_text(mail))
    return Signature(features.rows, features.values, features.dense)


@cache
def _hashing() -> str:
    """Names the way in which words become rows: kept ones mean something only under the same."""
    probe = signature_of(Mail("", "Prueba: factura 42", "Buenos días, le adjunto the invoice.\nUn saludo"))
    return hashlib.sha256(probe.rows.tobytes() + probe.values.tobytes()).hexdigest()[:12]
