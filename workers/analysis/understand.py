"""The whole analysis of one mail, top to bottom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from time import perf_counter

from workers.analysis.automatic import detect_automatic
from workers.analysis.entities import MAX_PER_TYPE, find_entities
from workers.analysis.features import Features, read_features
from workers.analysis.language import detect_language
from workers.analysis.learning.adjustment import Adjusted, Adjustment
from workers.analysis.mail import Mail
from workers.analysis.model import Classifier, Prediction, load_classifier
from workers.analysis.model.classifier import softmax
from workers.analysis.result import CATEGORIES, SENTIMENTS, URGENCIES, Analysis, Entity, Evidence
from workers.analysis.text import MailText, read_text

FLOOR = 0.6
# In scores: less than this decides nothing.
_WORTH_TELLING = 0.3


def analyse(
    mail: Mail, *, now: datetime | None = None, floor: float = FLOOR, adjustment: Adjustment | None = None
) -> Analysis:
    """Understand a mail: category, urgency, sentiment, language, entities, and whether a machine wrote it.

    `now` is what relative dates count from when the mail has no date (default: the current moment, UTC).
    `floor`: below this confidence the result is marked `abstained`. `adjustment`: what an organization's
    people have taught. Never raises on the content of a mail; what was too long is cut, and `notes` says so.
    """
    started = perf_counter()
    text = read_text(mail)
    language = detect_language(text.analysed, text.analysed_words)
    automatic = detect_automatic(mail, text.analysed)
    features = read_features(mail, text)
    classifier = load_classifier()
    prediction = classifier.predict(features)
    taught = _taught(adjustment, classifier, features, prediction)
    if taught is not None:
        prediction = taught.prediction
    probabilities = softmax(prediction.category)
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    today = (mail.received_at or now or datetime.now(UTC)).date()
    entities = _entities(text, language, today)
    evidence = [_in_full(item, text) for item in classifier.evidence(features, text.analysed, best)]
    if taught is not None:
        evidence = _evidence_of(taught, best) + evidence
    analysis = Analysis(
        id=mail.id,
        category=CATEGORIES[best],
        confidence=round(confidence, 4),
        abstained=confidence < floor,
        probabilities={name: round(float(p), 4) for name, p in zip(CATEGORIES, probabilities, strict=True)},
        urgency=URGENCIES[int(prediction.urgency.argmax())],
        sentiment=SENTIMENTS[int(prediction.sentiment.argmax())],
        language=language,
        is_auto_reply=automatic.is_auto_reply,
        automatic=automatic.reason,
        entities=entities,
        evidence=tuple(evidence),
        notes=text.notes + _entity_notes(entities),
        model=classifier.version,
        ms=round((perf_counter() - started) * 1000, 3),
    )
    return analysis if adjustment is None or taught is None else _marked(analysis, adjustment, taught)


def read_model() -> None:
    """Read what every analysis needs (it takes a tenth of a second), before the first mail."""
    text = (
        "Llame al +34 600 100 200 o al 912 345 678 el lunes 3/4/2026: son 12,00 €.\n"
        "Call 212-555-0123 or 020 7946 0958. VAT ATU13585627."
    )
    analyse(Mail("", "Hola", f"<p>{text}</p>", "html"))


def _taught(
    adjustment: Adjustment | None, classifier: Classifier, features: Features, prediction: Prediction
) -> Adjusted | None:
    # Made for another model's scores it would say something else.
    if adjustment is None or adjustment.model != classifier.version:
        return None
    return adjustment.applied(features, prediction)


def _evidence_of(taught: Adjusted, best: int) -> list[Evidence]:
    weight = float(taught.moved[best] - taught.moved.mean())
    return [Evidence("learned", round(weight, 3))] if weight >= _WORTH_TELLING else []


def _marked(analysis: Analysis, adjustment: Adjustment, taught: Adjusted) -> Analysis:
    """The analysis with what is the organization's own in it: its own category, and which lessons it had."""
    own = max(taught.own, key=lambda name: taught.own[name], default="")
    return replace(
        analysis,
        model=f"{analysis.model}+{adjustment.version}",
        own_category=own or None,
        own_confidence=round(taught.own[own], 4) if own else 0.0,
    )


def _entities(text: MailText, language: str, today: date) -> tuple[Entity, ...]:
    return tuple(
        Entity(
            found.type,
            text.full[found.start : found.end],
            found.value,
            found.start,
            found.end,
            text.is_quoted(found.start),
        )
        for found in find_entities(text.places, language, today)
    )


def _entity_notes(entities: tuple[Entity, ...]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for entity in entities:
        counts[entity.type] = counts.get(entity.type, 0) + 1
    return tuple(
        f"only the first {MAX_PER_TYPE} of type {name} kept"
        for name, n in counts.items()
        if n == MAX_PER_TYPE
    )


def _in_full(item: Evidence, text: MailText) -> Evidence:
    """Evidence with positions in the full text instead of the analysed part."""
    if item.start is None or item.end is None:
        return item
    start = text.position(item.start)
    return Evidence(item.feature, item.weight, item.text, start, start + item.end - item.start)
