"""What was learned for one organization: numbers that are added to the classifier's scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import orjson
from numpy.typing import NDArray

from workers.analysis.features import Numbers
from workers.analysis.learning.space import Space, Vector
from workers.analysis.model.classifier import Prediction, Scores, softmax

# However much was corrected: a mail that the classifier is surer of than this stays as it is.
MOST = 8.0


@dataclass(frozen=True, slots=True)
class Reach:
    """How far corrections reach: fully to mail as near as `near` to one of them (a product of places), not at
    all to what is farther than `far`, in between by degrees. `taught`: the places of the corrections."""

    taught: Vector
    far: float
    near: float

    def share(self, place: Vector) -> float:
        """How much of what was learned counts for a mail, 0 to 1."""
        return float(share_of((self.taught @ place).max(), self.far, self.near))


def share_of(nearness: Scores | float, far: float, near: float) -> Scores:
    """See Reach."""
    return np.clip((np.asarray(nearness) - far) / (near - far), 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class HeadAdjustment:
    """For the classes of a head: `near` is multiplied with a mail's place in the space, `broad` with the
    classifier's own probabilities. `start` are the scores of a head that the classifier does not have."""

    classes: tuple[str, ...]
    near: Vector
    broad: NDArray[np.float32]
    reach: Reach
    start: Scores | None = None

    def added(self, place: Vector, probabilities: Scores) -> Scores:
        """What to add to each class's score, within bounds."""
        share = self.reach.share(place)
        if share == 0:
            return np.zeros(len(self.classes))
        moved = (place @ self.near + probabilities @ self.broad).astype(np.float64)
        return share * np.clip(moved, -MOST, MOST)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Scores after the adjustment. `own`: probabilities of the own categories, empty where it has none."""

    prediction: Prediction
    own: Mapping[str, float]
    moved: Scores
    """What was added to the scores of the categories."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An organization's adjustment: good for the scores of one `model`, made of one `version` of the
    corrections and one state of its own categories (`own`, a digest)."""

    version: int
    own: str
    model: str
    space: Space
    heads: Mapping[str, HeadAdjustment]

    def applied(self, mail: Numbers, prediction: Prediction) -> Adjusted:
        """The classifier's prediction as this organization's people would have it."""
        place = self.space.vector(mail)
        scores = {
            "category": prediction.category,
            "urgency": prediction.urgency,
            "sentiment": prediction.sentiment,
        }
        moved = np.zeros_like(prediction.category)
        own: dict[str, float] = {}
        for name, head in self.heads.items():
            if head.start is not None:
                added = head.added(place, softmax(prediction.category))
                own = dict(zip(head.classes, softmax(head.start + added).tolist(), strict=True))
                continue
            added = head.added(place, softmax(scores[name]))
            scores[name] = scores[name] + added
            if name == "category":
                moved = added
        return Adjusted(Prediction(**scores), own, moved)

    def to_bytes(self) -> bytes:
        """Numbers and names; read back by `from_bytes`."""
        facts = {
            "version": self.version,
            "own": self.own,
            "model": self.model,
            "heads": {name: head.classes for name, head in self.heads.items()},
        }
        arrays: dict[str, NDArray[np.generic]] = {
            "facts": np.frombuffer(orjson.dumps(facts), dtype=np.uint8),
            "sketch_mean": self.space.sketch_mean,
            "dense_mean": self.space.dense_mean,
            "dense_spread": self.space.dense_spread,
        }
        for name, head in self.heads.items():
            arrays |= {
                f"{name}.near": head.near,
                f"{name}.broad": head.broad,
                f"{name}.taught": head.reach.taught.astype(np.float16),
                f"{name}.reach": np.array([head.reach.far, head.reach.near]),
            }
            if head.start is not None:
                arrays[f"{name}.start"] = head.start
        packed = BytesIO()
        np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Adjustment | None:
        """The adjustment as it was written; None if an earlier release wrote it, which knew no reach."""
        with np.load(BytesIO(packed), allow_pickle=False) as arrays:
            facts = orjson.loads(arrays["facts"].tobytes())
            if any(f"{name}.reach" not in arrays for name in facts["heads"]):
                return None
            heads = {
                name: HeadAdjustment(
                    tuple(classes),
                    arrays[f"{name}.near"],
                    arrays[f"{name}.broad"],
                    Reach(arrays[f"{name}.taught"].astype(np.float32), *arrays[f"{name}.reach"].tolist()),
                    arrays.get(f"{name}.start"),
                )
                for name, classes in facts["heads"].items()
            }
            space = Space(arrays["sketch_mean"], arrays["dense_mean"], arrays["dense_spread"])
        return cls(facts["version"], facts["own"], facts["model"], space, heads)
