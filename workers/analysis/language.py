"""The language of a text: frequent words, runs of three letters and accented letters, or its script.

"und" where there is too little to tell. Ten languages of Latin script are told apart, es and en the surest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.analysis.hashing import Words, read_words
from workers.analysis.vocabulary import Vocabulary

_DIRECTORY = Path(__file__).parent / "model"
RUN_BITS = 13
_RUN_LENGTH = 3
_MAX_WORDS = 200
_MAX_RUNS = 400
_MAX_LETTERS = 400
_MIXER = np.uint64(0x9FB21C651E98DF25)
_WORD_WEIGHT = 10.0
_LETTER_WEIGHT = 3.0
_SURE_MARGIN = 6.0
# Most mail here is Spanish or English; Galician and Basque words occur in Spanish mail.
_BIAS = {"es": 2.0, "en": 2.0, "gl": -3.0, "eu": -3.0}
# What accented letters say; folding takes them away from words and runs.
_LETTERS = {
    "es": "ñ3 ¿3 ¡2 í1 ó1 á1 ú0.7 é0.5 ü0.2",
    "pt": "ã3 õ3 ç1 ê1 â1 ô1 á1 í0.7 ó0.6 é0.6 ú0.5",
    "ca": "ç1 è1 à1 ò1.5 ·1 í0.7 ó0.7 ú0.5 é0.5 ü0.3",
    "fr": "ç1 è1 à1 ê1 é1 û2 î2 œ3 ù1 â0.7 ô0.7 ë0.5",
    "it": "è1 à1 ò1.5 ù1 é0.3",
    "de": "ß3 ä2 ö2 ü2",
    "gl": "ñ1.5 á1 í1 ó1 ú0.7 é0.5",
    "nl": "ë1 ĳ2 ä0.3",
    "eu": "ñ0.5",
}
_SCRIPTS = (
    (0x0370, 0x03FF, "el"),
    (0x0400, 0x052F, "ru"),
    (0x0590, 0x05FF, "he"),
    (0x0600, 0x06FF, "ar"),
    (0x0900, 0x097F, "hi"),
    (0x0E00, 0x0E7F, "th"),
    (0x3040, 0x30FF, "ja"),
    (0xAC00, 0xD7AF, "ko"),
    (0x4E00, 0x9FFF, "zh"),
)


@dataclass(frozen=True, slots=True)
class _Model:
    """`words` mean rows of `word_weights`. `run_weights`: rows by run_rows(). Columns: `languages`."""

    languages: tuple[str, ...]
    words: Vocabulary
    word_weights: NDArray[np.float32]
    run_weights: NDArray[np.float32]
    letters: dict[str, NDArray[np.float32]]
    bias: NDArray[np.float32]


def detect_language(text: str, words: Words) -> str:
    """ISO 639-1 code, or "und" for a text too short to tell. `words` are those of `text`."""
    script = _script(words)
    if script is not None:
        return script
    model = _load()
    hashes = words.hashes[:_MAX_WORDS]
    if len(hashes) == 0:
        return "und"
    _, known = model.words.find(hashes)
    scores = model.bias + _WORD_WEIGHT * _summed(model.word_weights, known)
    scores += _summed(model.run_weights, run_rows(words, _MAX_RUNS))
    scores += _LETTER_WEIGHT * _letter_scores(text, model)
    order = scores.argsort()
    margin = scores[order[-1]] - scores[order[-2]]
    if len(hashes) < 4 and margin < _SURE_MARGIN:
        return "und"
    return model.languages[int(order[-1])]


def run_rows(words: Words, most: int | None = None) -> NDArray[np.int64]:
    """Rows of the run table, in the order of the text; only so many at its beginning."""
    # Gaps between words shrink to one character: more than enough for as many runs.
    runs = words.letter_runs(_RUN_LENGTH, digits=False, chars=2 * most if most else None)[:most]
    rows: NDArray[np.int64] = ((runs * _MIXER) >> np.uint64(64 - RUN_BITS)).astype(np.int64)
    return rows


def _summed(table: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    # As a product of matrices: adding row to row takes far longer.
    return np.ones(len(rows), dtype=np.float32) @ table.take(rows, axis=0)


def languages_known() -> tuple[str, ...]:
    """Languages of Latin script, in the order of the model's columns."""
    return tuple(line[1:-1] for line in _word_lines() if line.startswith("["))


def _script(words: Words) -> str | None:
    """Language by script where most letters are not Latin; Chinese with any kana is Japanese."""
    if len(words.codes) == 0 or words.codes.max() <= 0x24F:
        return None
    codes = words.codes[words.codes > 0x24F]
    if len(codes) * 3 < len(words.codes) - int((words.codes == 32).sum()) or len(codes) == 0:
        return None
    counts = {code: int(((codes >= low) & (codes <= high)).sum()) for low, high, code in _SCRIPTS}
    if counts["ja"] > 0:
        return "ja"
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] else None


def _letter_scores(text: str, model: _Model) -> NDArray[np.float32]:
    scores = np.zeros(len(model.languages), dtype=np.float32)
    opening = text[:_MAX_LETTERS].lower()
    if not opening.isascii():
        for letter, weights in model.letters.items():
            count = opening.count(letter)
            if count:
                scores += weights * np.float32(min(count, 3) ** 0.5)
    return scores


def _word_lines() -> list[str]:
    return (_DIRECTORY / "languages.txt").read_text(encoding="utf-8").splitlines()


@cache
def _load() -> _Model:
    languages = languages_known()
    spoken: dict[int, set[int]] = {}
    current = -1
    for line in _word_lines():
        if line.startswith("["):
            current += 1
        elif not line.startswith("#"):
            for value in read_words(line).hashes.tolist():
                spoken.setdefault(value, set()).add(current)
    hashes = sorted(spoken)
    weights = np.zeros((len(hashes), len(languages)), dtype=np.float32)
    for row, value in enumerate(hashes):
        # A word that several languages share says less about each of them.
        weights[row, list(spoken[value])] = len(spoken[value]) ** -1.5
    letters: dict[str, NDArray[np.float32]] = {}
    for language, entries in _LETTERS.items():
        for entry in entries.split():
            column = letters.setdefault(entry[0], np.zeros(len(languages), dtype=np.float32))
            column[languages.index(language)] = float(entry[1:])
    return _Model(
        languages,
        Vocabulary.of((value, row) for row, value in enumerate(hashes)),
        weights,
        np.load(_DIRECTORY / "language.npy", allow_pickle=False).astype(np.float32),
        letters,
        np.array([_BIAS.get(language, 0.0) for language in languages], dtype=np.float32),
    )
