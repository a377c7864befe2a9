"""Tables about category, urgency, sentiment and language of judged mails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from workers.analysis.evaluation.judged import (
    MAIL_FORMS,
    Judged,
    grouped,
    pairs_of,
    with_category,
)
from workers.analysis.evaluation.scores import (
    accuracy,
    calibration_error,
    coverage_at,
    macro_f1,
    per_label,
)
from workers.analysis.evaluation.section import Section
from workers.analysis.result import CATEGORIES

MEASURED_LANGUAGES = ("en", "es")
# A class of a handful of mails would swing the mean of a source by its luck.
FEWEST_MAILS = 5
WORST = 25
_SURE_PRECISION = 0.95


def heads_section(name: str, title: str, judged: Sequence[Judged]) -> Section:
    """Everything about the three heads and the language; figures start with `name`."""
    section = Section(title)
    _by_source(section, judged)
    for language in MEASURED_LANGUAGES:
        ours = [item for item in judged if item.known.language == language]
        if ours:
            _of_language(section, f"{name}.{{}}.{language}", language, ours)
    _by_class_and_source(section, judged)
    _false_alarms(section, name, judged)
    _other_heads(section, judged)
    _languages(section, name, judged)
    _worst(section, judged)
    return section


def _by_source(section: Section, judged: Sequence[Judged]) -> None:
    rows = []
    for (source, language), items in grouped(with_category(judged), "source", "language").items():
        rows.append((source, language, len(items), *_category_figures(items)))
    head = ("source", "", "mails", "right", "macro F1", "ECE", "sure", "right if sure", "coverage at 95 %")
    section.table("Category by source (macro F1 over classes with 5 mails or more)", head, rows)


def _category_figures(items: Sequence[Judged]) -> tuple[float, ...]:
    pairs = pairs_of(items, "category")
    rights = [item.is_right for item in items]
    confidences = [item.confidence for item in items]
    sure = [item.is_right for item in items if not item.abstained]
    return (
        accuracy(pairs),
        macro_f1(pairs, FEWEST_MAILS),
        calibration_error(confidences, rights),
        len(sure) / len(items),
        sum(sure) / max(len(sure), 1),
        coverage_at(_SURE_PRECISION, confidences, rights),
    )


def _of_language(section: Section, figure: str, language: str, judged: Sequence[Judged]) -> None:
    mails = [item for item in with_category(judged) if item.known.form in MAIL_FORMS]
    if mails:
        pairs = pairs_of(mails, "category")
        counts = per_label(pairs)
        rows: list[tuple[object, ...]] = [
            (label, n.true, n.precision, n.recall, n.f1) for label, n in counts.items()
        ]
        _, macro, error, coverage, precision, at_95 = _category_figures(mails)
        rows.append(("macro", len(mails), "", "", macro))
        head = ("category", "mails", "precision", "recall", "F1")
        section.table(f"Category in {language}, mails and tickets of all sources", head, rows)
        section.lines.append(
            f"  calibration error {error:.3f}; {coverage:.1%} are sure and {precision:.1%} of those right; "
            f"coverage at 95 % precision {at_95:.1%}"
        )
        section.figures |= {
            f"{figure.format('category')}.macro_f1": macro,
            f"{figure.format('category')}.lowest_f1": min(
                (n.f1 for n in counts.values() if n.true >= FEWEST_MAILS), default=macro
            ),
            f"{figure.format('sure')}.precision": precision,
            f"{figure.format('sure')}.coverage": coverage,
            f"{figure.format('category')}.calibration_error": error,
        }
        confused = Counter(pairs)
        matrix = [[truth, *(confused[truth, said] for said in CATEGORIES)] for truth in counts]
        section.table("Confusion: a row is what is true, a column what was said", ["", *CATEGORIES], matrix)
    for head_name in ("urgency", "sentiment"):
        pairs = pairs_of(judged, head_name)
        if pairs:
            section.figures[f"{figure.format(head_name)}.macro_f1"] = macro_f1(pairs)


def _by_class_and_source(section: Section, judged: Sequence[Judged]) -> None:
    rows = []
    for (language, source), items in grouped(with_category(judged), "language", "source").items():
        for label, n in per_label(pairs_of(items, "category")).items():
            rows.append((source, language, label, n.true, n.precision, n.recall, n.f1))
    head = ("source", "", "category", "mails", "precision", "recall", "F1")
    section.table("Category by source and class", head, rows)


def _false_alarms(section: Section, name: str, judged: Sequence[Judged]) -> None:
    rows = []
    for (source, language), items in grouped(judged, "source", "language").items():
        legitimate = [item for item in items if item.known.is_spam is False]
        if legitimate:
            called = [item for item in legitimate if item.category == "spam"]
            archived = [item for item in called if not item.abstained]
            rows.append(
                (
                    source,
                    language,
                    len(legitimate),
                    len(called) / len(legitimate),
                    len(archived) / len(legitimate),
                )
            )
    head = ("source", "", "mails", "called spam", "and archived")
    section.table("Legitimate mail called spam, and archived by the default rules", head, rows)
    legitimate = [item for item in judged if item.known.is_spam is False and item.known.form in MAIL_FORMS]
    if legitimate:
        called = [item for item in legitimate if item.category == "spam"]
        section.figures[f"{name}.legitimate.called_spam"] = len(called) / len(legitimate)
    private = [item for item in judged if item.known.category in ("personal", "finance")]
    if private:
        lost = [item for item in private if item.category == "spam" and not item.abstained]
        section.figures[f"{name}.personal_and_finance.archived"] = len(lost) / len(private)
    spam = [item for item in judged if item.known.is_spam and item.known.form in MAIL_FORMS]
    if spam:
        found = [item for item in spam if item.category == "spam"]
        section.figures[f"{name}.spam.recall"] = len(found) / len(spam)


def _other_heads(section: Section, judged: Sequence[Judged]) -> None:
    for head_name in ("urgency", "sentiment"):
        rows = []
        for (source, language), items in grouped(judged, "source", "language").items():
            pairs = pairs_of(items, head_name)
            if pairs:
                each = ", ".join(f"{label} {n.f1:.2f}" for label, n in per_label(pairs).items())
                rows.append((source, language, len(pairs), macro_f1(pairs), each))
        section.table(f"{head_name.capitalize()} by source", ("source", "", "mails", "macro F1", "F1"), rows)


def _languages(section: Section, name: str, judged: Sequence[Judged]) -> None:
    asked = [item for item in judged if item.language is not None and item.known.words >= 5]
    if not asked:
        return
    rows = []
    for (language,), items in grouped(asked, "language").items():
        rows.append((language, len(items), sum(item.language == language for item in items) / len(items)))
    section.table("Language, of 5 words or more", ("language", "mails", "right"), rows)
    ours = [item for item in asked if item.known.language in MEASURED_LANGUAGES]
    right = sum(item.language == item.known.language for item in ours)
    section.figures[f"{name}.language.accuracy"] = right / max(len(ours), 1)


def _worst(section: Section, judged: Sequence[Judged]) -> None:
    wrong = [item for item in with_category(judged) if not item.is_right]
    wrong.sort(key=lambda item: -item.confidence)
    rows = [
        (item.known.id, item.known.source, item.known.category, item.category, item.confidence)
        for item in wrong[:WORST]
    ]
    head = ("id", "source", "true", "said", "confidence")
    section.table("Worst mistakes: wrong and the surest of it", head, rows)
