"""What corrections teach: like mails come out right, other mail stays as it was."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.like_mails import KINDS, corrections, rows, says, signatures
from workers.analysis import analyse
from workers.analysis.learning import Adjustment, Example, Signature, fit, guesses, signature_of
from workers.analysis.learning.adjustment import MOST
from workers.analysis.learning.space import ordinary_mail
from workers.analysis.mail import mail_from_row
from workers.analysis.model import load_classifier
from workers.analysis.model.classifier import softmax
from workers.analysis.training_data import corpus_examples


def error(adjustment: Adjustment | None, mails: Sequence[Signature], category: str) -> float:
    wrong = [guesses(adjustment, mail)["category"] != category for mail in mails]
    return sum(wrong) / len(wrong)


def other_mail() -> list[tuple[Signature, str]]:
    """Mails of the corpus with their category, those left out that hold every adjustment in place."""
    held = {mail.to_bytes() for mail in ordinary_mail()}
    everything = [
        (signature_of(mail_from_row(example.row)), example.category or "") for example in corpus_examples()
    ]
    return [(mail, category) for mail, category in everything if mail.to_bytes() not in held]


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("en-absences", "support"),
        ("en-volunteers", "support"),
        ("es-applications", "personal"),
        ("es-claims", "finance"),
    ],
)
def test_twenty_corrections_halve_the_error_on_like_mails(kind: str, category: str) -> None:
    taught, unseen = corrections(kind, category)
    adjustment = fit(taught)
    before = error(None, unseen, category)
    assert before >= 0.4, "else there is nothing to learn"
    assert error(adjustment, unseen, category) <= before / 2


def test_unrelated_mail_comes_out_as_before() -> None:
    taught = [
        *corrections("es-bookings", "sales")[0],
        *corrections("en-absences", "support")[0],
        *corrections("es-applications", "personal")[0],
    ]
    adjustment = fit(taught)
    others = other_mail()[::3]
    before = sum(guesses(None, mail)["category"] != category for mail, category in others)
    after = sum(guesses(adjustment, mail)["category"] != category for mail, category in others)
    assert (after - before) / len(others) < 0.01


def test_what_is_like_no_corrected_mail_is_not_reached_at_all() -> None:
    taught, unseen = corrections("en-volunteers", "support")
    adjustment = fit(taught)
    reach, space = adjustment.heads["category"].reach, adjustment.space
    far = [mail for mail, _ in other_mail()[::3] if reach.share(space.vector(mail)) == 0]
    assert len(far) > 300
    for mail in far[::20]:
        prediction = load_classifier().predict(mail)
        assert not adjustment.applied(mail, prediction).moved.any()
    assert np.mean([reach.share(space.vector(mail)) for mail in unseen]) > 0.5


def test_one_wrong_correction_turns_nothing_that_was_sure() -> None:
    mistaken = fit([says("category", "spam", signatures("es-bookings")[0])])
    mails = [mail for mail, _ in other_mail()[::3]] + [
        mail for kind in KINDS for mail in signatures(kind)[1:]
    ]
    sure = [mail for mail in mails if softmax(load_classifier().predict(mail).category).max() >= 0.6]
    turned = [mail for mail in sure if guesses(mistaken, mail)["category"] != guesses(None, mail)["category"]]
    assert len(sure) > 300 and len(turned) <= 1


def test_influence_is_bounded_however_much_is_corrected() -> None:
    mail = signatures("es-bookings")[0]
    adjustment = fit([says("category", "spam", mail)] * 200)
    prediction = load_classifier().predict(mail)
    adjusted = adjustment.applied(mail, prediction)
    assert float(np.abs(adjusted.prediction.category - prediction.category).max()) <= MOST


def test_what_was_moved_from_archive_is_only_known_not_to_be_spam() -> None:
    mail = next(
        signature
        for example in corpus_examples()
        if example.category == "spam"
        and guesses(None, signature := signature_of(mail_from_row(example.row)))["category"] == "spam"
    )
    not_spam = frozenset(("finance", "calendar", "support", "sales", "newsletter", "personal", "general"))
    adjustment = fit([Example(mail, {"category": not_spam})])
    assert guesses(adjustment, mail)["category"] != "spam"


@pytest.mark.parametrize(("head", "label"), [("urgency", "high"), ("sentiment", "negative")])
def test_urgency_and_sentiment_are_learned_as_well(head: str, label: str) -> None:
    mails = signatures("es-claims")
    adjustment = fit([says(head, label, mail) for mail in mails[:20]])
    unseen = mails[20:]
    before = sum(guesses(None, mail)[head] != label for mail in unseen)
    assert sum(guesses(adjustment, mail)[head] != label for mail in unseen) <= before / 2
    assert [guesses(adjustment, mail)["category"] for mail in unseen] == [
        guesses(None, mail)["category"] for mail in unseen
    ]


def test_an_own_category_is_learned_from_examples_beside_the_eight() -> None:
    adjustment = fit(
        [says("own", "reservas", mail) for mail in signatures("es-bookings")[:15]], own=("reservas",)
    )
    found = [guesses(adjustment, mail)["own"] for mail in signatures("es-bookings")[15:]]
    assert found.count("reservas") / len(found) >= 0.7
    others = [guesses(adjustment, mail)["own"] for mail, _ in other_mail()[::10]]
    assert others.count("reservas") <= 1
    assert [guesses(adjustment, mail)["category"] for mail in signatures("es-bookings")] == [
        guesses(None, mail)["category"] for mail in signatures("es-bookings")
    ]


def test_the_same_examples_give_the_same_numbers() -> None:
    taught = corrections("es-bookings", "sales")[0]
    assert fit(taught, version=3).to_bytes() == fit(taught, version=3).to_bytes()


def test_without_an_example_it_is_as_if_it_had_never_been() -> None:
    taught = corrections("es-bookings", "sales")[0]
    before = fit(taught[:-1])
    again = fit(taught[:-1])
    mails = signatures("es-claims")
    assert [guesses(before, mail) for mail in mails] == [guesses(again, mail) for mail in mails]
    assert fit([]).heads == {}


def test_it_reads_back_as_it_was_written() -> None:
    adjustment = fit(
        [says("own", "reservas", mail) for mail in signatures("es-bookings")[:9]],
        own=("reservas",),
        version=7,
    )
    read = Adjustment.from_bytes(adjustment.to_bytes())
    assert read is not None
    assert (read.version, read.model) == (7, load_classifier().version)
    for kind in KINDS:
        for mail in signatures(kind)[:5]:
            prediction = load_classifier().predict(mail)
            assert read.applied(mail, prediction).own == adjustment.applied(mail, prediction).own


def test_a_signature_reads_back_and_holds_no_text() -> None:
    row = rows("es-bookings")[0]
    signature = signatures("es-bookings")[0]
    packed = signature.to_bytes()
    read = Signature.from_bytes(packed)
    assert read is not None
    np.testing.assert_array_equal(
        load_classifier().predict(read).category, load_classifier().predict(signature).category
    )
    kept = zlib.decompress(packed).decode("latin-1").lower()
    words = {word.strip(".,¿?<>").lower() for word in f"{row['subject']} {row['from']} {row['body']}".split()}
    assert [word for word in words if len(word) > 6 and word in kept] == []


def test_a_signature_outlives_new_features_but_not_another_way_of_hashing() -> None:
    packed = signatures("es-bookings")[0].to_bytes()
    header, _, numbers = zlib.decompress(packed).partition(b"\n")
    renamed = zlib.compress(header.replace(b'"sign.', b'"gone.') + b"\n" + numbers)
    assert Signature.from_bytes(renamed) is not None
    hashing = header.index(b'"hashing":"') + len(b'"hashing":"')
    other = header[:hashing] + b"000000000000" + header[hashing + 12 :]
    assert Signature.from_bytes(zlib.compress(other + b"\n" + numbers)) is None


def test_the_analysis_names_the_lessons_it_had_and_gives_them_as_evidence() -> None:
    taught, unseen = corrections("es-bookings", "sales")
    adjustment = fit(taught, version=12)
    row = next(
        row
        for row, mail in zip(rows("es-bookings"), signatures("es-bookings"), strict=True)
        if mail is unseen[-1]
    )
    mail = mail_from_row(row)
    analysis = analyse(mail, adjustment=adjustment)
    assert analysis.model == f"{load_classifier().version}+12"
    assert analysis.category == "sales" and "learned" in [item.feature for item in analysis.evidence]
    assert analyse(mail).to_dict() | {"ms": 0} == analyse(mail, adjustment=None).to_dict() | {"ms": 0}


def test_an_adjustment_made_for_another_model_is_not_used() -> None:
    adjustment = replace(fit(corrections("es-bookings", "sales")[0], version=1), model="another")
    mail = mail_from_row(rows("es-bookings")[0])
    assert analyse(mail, adjustment=adjustment).to_dict() | {"ms": 0} == analyse(mail).to_dict() | {"ms": 0}
