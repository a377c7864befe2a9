"""Letter statistics of each language, from our own sentences and mails."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from workers.analysis.hashing import read_words
from workers.analysis.language import RUN_BITS, languages_known, run_rows
from workers.analysis.training_data import CORPUS, Example

# As much text of every language: a model with more of one would see it everywhere.
_CHARS_PER_LANGUAGE = 9_000
_SMOOTHING = 0.6
_RUNS_PER_LANGUAGE = 5_000


def train_language(examples: Iterable[Example], output: Path) -> None:
    """Write language.npy: how much more likely each run of three letters is in a language than in the
    others."""
    texts = _sentences()
    for example in examples:
        text = texts.setdefault(example.language, "")
        if example.language in ("es", "en") and len(text) < _CHARS_PER_LANGUAGE:
            texts[example.language] = f"{text}\n{example.row['subject']} {example.row['body'][:300]}"
    counts = np.zeros((1 << RUN_BITS, len(languages_known())))
    for column, language in enumerate(languages_known()):
        np.add.at(counts[:, column], run_rows(read_words(texts[language][:_CHARS_PER_LANGUAGE])), 1)
    counts *= _RUNS_PER_LANGUAGE / counts.sum(axis=0)
    logs = np.log((counts + _SMOOTHING) / (counts + _SMOOTHING).sum(axis=0))
    np.save(output / "language.npy", (logs - logs.mean(axis=1, keepdims=True)).astype(np.float16))


def _sentences() -> dict[str, str]:
    """corpus/languages.txt: one sentence a line under the code of its language, and the frequent words
    twice."""
    texts: dict[str, str] = {}
    words = Path(__file__).parent / "model" / "languages.txt"
    for path, times in ((CORPUS / "languages.txt", 1), (words, 2)):
        language = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                language = line[1:-1]
            elif line and not line.startswith("#"):
                texts[language] = texts.get(language, "") + f"{line}\n" * times
    return texts
