"""The whole analysis of one mail, top to bottom."""

from __future__ import annotations

from datetime import UTC, date, datetime
from time import perf_counter

from workers.analysis.automatic import detect_automatic
from workers.analysis.entities import MAX_PER_TYPE, find_entities
from workers.analysis.features import read_features
from workers.analysis.language import detect_language
from workers.analysis.mail import Mail
from workers.analysis.model import load_classifier
from workers.analysis.model.classifier import softmax
from workers.analysis.result import CATEGORIES, SENTIMENTS, URGENCIES, Analysis, Entity, Evidence
from workers.analysis.text import MailText, read_text

FLOOR = 0.6


def analyse(mail: Mail, *, now: datetime | None = None, floor: float = FLOOR) -> Analysis:
    """Understand a mail: category, urgency, sentiment, language, entities, and whether a machine wrote it.

    `now` is what relative dates count from when the mail has no date (default: the current moment, UTC).
    `floor`: below this confidence the result is marked `abstained`. Never raises on the content of a mail;
    what was too long is cut, and `notes` says so.
    """
    started = perf_counter()
    text = read_text(mail)
    language = detect_language(text.analysed, text.analysed_words)
    automatic = detect_automatic(mail, text.analysed)
    features = read_features(mail, text)
    classifier = load_classifier()
    prediction = classifier.predict(features)
    probabilities = softmax(prediction.category)
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    today = (mail.received_at or now or datetime.now(UTC)).date()
    entities = _entities(text, language, today)
    evidence = [_in_full(item, text) for item in classifier.evidence(features, text.analysed, best)]
    return Analysis(
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
        for found in find_entities(text.full, text.words, language, today)
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
