"""`econeura evaluate`: the corpus judged by models that did not see it, and compared with the baseline."""

from __future__ import annotations

from tests.econeura import econeura


def test_the_corpus_keeps_up_with_the_baseline() -> None:
    said = econeura("evaluate", "--no-speed", timeout_s=170)
    assert said.returncode == 0, said.stdout[-3_000:] + said.stderr
    assert "corpus.category.es.macro_f1" in said.stdout
    assert "Worst mistakes" in said.stdout


def test_a_missing_data_directory_is_named() -> None:
    said = econeura("evaluate", "--data", "/nowhere/at/all")
    assert said.returncode == 2
    assert "/nowhere/at/all" in said.stderr
