"""Mail made to be slow: analysed in bounded time, and what was cut is said."""

from __future__ import annotations

from time import process_time

from workers.analysis import analyse, mail_from_row, read_model
from workers.analysis.entities.scan import MAX_PLACES
from workers.analysis.evaluation.speed import hostile_mails


def test_hostile_mail_takes_bounded_time_and_what_was_cut_is_noted() -> None:
    read_model()
    slow, silent = [], []
    for name, mail in hostile_mails():
        started = process_time()
        analysis = analyse(mail)
        # A tenth of it on a quiet machine; seconds to hours for what is not bounded.
        if process_time() - started > 1.0:
            slow.append(name)
        if len(mail.body) > 400_000 and not analysis.notes:
            silent.append(name)
    assert (slow, silent) == ([], [])


def test_numbers_beyond_the_limit_are_noted() -> None:
    analysis = analyse(mail_from_row({"body": "7 " * (MAX_PLACES + 1)}))
    assert f"only the first {MAX_PLACES} numbers looked at" in analysis.notes
    assert not analyse(mail_from_row({"body": "7 " * 100})).notes


def test_a_name_of_megabytes_costs_no_more_than_a_long_one() -> None:
    row = {"body": "Hola", "from": {"name": "a" * 5_000_000, "address": "b" * 5_000_000 + "@c.example"}}
    started = process_time()
    analyse(mail_from_row(row))
    assert process_time() - started < 1.0
