"""Texts that a proof asks, beside those of the held-out rows.

ONNX Runtime finds words by another engine than Python, lowers letters in another way, and counts
in bytes where Python counts in characters: where a compiled model is wrong on texts, it is wrong on
accents, signs between words, single letters and odd spaces, and hardly on random rows.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.training.onnx.nested import estimators_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.bundle.rows import Feed

COLUMNS = 20
"""Texts of so many inputs are asked."""
VALUES = 200
"""Values of the held-out rows that are asked of each input, with all else the same."""
MIXTURES = 100
"""Texts that are put together from the words that a model knows."""
_WORDS = 40
_LONG = 3_000
"""Words of the longest text."""

_BETWEEN = (
    " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u200b", "\u2028", ",", ", ", ".", "-",
    " - ", "_", "'", "\u2019", "/", "\\", "@", "#", "&", "+", ":", ";", "!", "?", "(", '"', "|",
    " a ", " 1 ", " _ ", "\u0301", "\u00ad", "\U0001f642", "\u4f60\u597d", "\u05d0", "<br />",
)  # fmt: skip
"""What stands between two words: spaces, signs, single letters, marks."""
_ODD = (
    "", " ", "   ", "\n", "\t", "a", "A", "1", "_", "__", "!!!", "...", "\u00e9", "\u00c9t\u00e9",
    "e\u0301te\u0301", "\u00df", "STRASSE", "Stra\u00dfe", "\u0130stanbul", "\u01c5", "\ufb01n",
    "\u2167", "\u00bd \u00b2\u00b2", "12 345", "1,000.50", "3e5", "\u0664\u0662", "\u4f60\u597d",
    "\u4f60\u597d \u4e16\u754c", "\u3042\u3044", "\U0001f642\U0001f642", "\U0001d400\U0001d401",
    "\u03a3\u03a3 \u03a3\u03c2", "na\u00efve caf\u00e9", "CAF\u00c9", "nan", "None", "null", "0",
    "a b c d", "x" * 1_000, "\u00fc" * 1_000,
)  # fmt: skip


def text_rows(pipeline: Any, base: Feed) -> Feed:
    """Return rows with texts that nobody sent so far, one input at a time.

    No rows where no input is text. `base` gives the values of all other inputs, and the texts that
    the new ones are made of.
    """
    rng = np.random.default_rng(0)
    names = [name for name, a in base.items() if a.dtype == object][:COLUMNS]
    known = _known_words(pipeline)
    parts = [_rows_of(base, name, _texts(base[name][:, 0], known, rng), rng) for name in names]
    if not parts:
        return {name: a[:0] for name, a in base.items()}
    return {name: np.concatenate([part[name] for part in parts]) for name in base}


def _rows_of(base: Feed, name: str, texts: Sequence[str], rng: np.random.Generator) -> Feed:
    rows = rng.integers(0, len(base[name]), len(texts))
    feed = {other: a[rows] for other, a in base.items()}
    feed[name] = np.array(texts, dtype=object).reshape(-1, 1)
    return feed


def _known_words(pipeline: Any) -> list[str]:
    """Return some words that a pipeline has learnt, the first and the last in order among them."""
    words = {
        str(word)
        for found in estimators_in(pipeline)
        for word in getattr(found, "vocabulary_", None) or ()
    }
    return _spread(sorted(words), _WORDS)


def _spread(values: list[str], most: int) -> list[str]:
    places = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).astype(int))
    return [values[i] for i in places]


def _texts(values: Any, known: list[str], rng: np.random.Generator) -> list[str]:
    """Return values of the held-out rows, odd texts, and mixtures of words."""
    distinct = sorted(set(values.tolist()))
    own = _spread(distinct, VALUES)
    words = known + _spread(sorted({w for text in own for w in text.split()}), _WORDS)
    texts = [*own, *_ODD]
    for text in own[:5] + words[:20] + words[-5:]:
        texts += [f" {text}", f"{text} ", text.upper(), text.title(), text + "s", text[:-1]]
        texts += [unicodedata.normalize("NFD", text), _with_accents(text)]
    if not words:
        return texts
    for sign in _BETWEEN:
        first, second = rng.choice(words, 2).tolist()
        texts += [f"{first}{sign}{second}", f"{sign}{first}{sign}{second}{sign}"]
    for _ in range(MIXTURES):
        chosen = rng.choice(words, rng.integers(1, 12)).tolist()
        signs = rng.choice(_BETWEEN, len(chosen)).tolist()
        texts.append("".join(word + sign for word, sign in zip(chosen, signs, strict=True)))
    return [*texts, " ".join(rng.choice(words, _LONG).tolist())]


def _with_accents(text: str) -> str:
    """Return the text with accents on its vowels."""
    return text.translate(str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ"))
