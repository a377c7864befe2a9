"""`econeura evaluate`: the corpus judged by models that did not see it, and compared with the baseline."""

from __future__ import annotations

import pytest

from tests.econeura import econeura


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_corpus_keeps_up_with_the_baseline() -> None:
    """Fifteen models are fitted: some minutes."""
    said = econeura("evaluate", "--no-speed", timeout_s=880)
    assert said.returncode == 0, said.stdout[-3_000:] + said.stderr
    assert "corpus.category.es.macro_f1" in said.stdout
    assert "Worst mistakes" in said.stdout


def test_a_missing_data_directory_is_named() -> None:
    said = econeura("evaluate", "--data", "/nowhere/at/all")
    assert said.returncode == 2
    assert "/nowhere/at/all" in said.stderr
