"""Which decisions would change on the held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.comparison.error_slices import row_texts
from pipelines.comparison.judged import hidden_columns
from pipelines.judging.draws import draws_of
from pipelines.judging.slices import named_slices
from pipelines.science.gate.flips import FlipFacts, measure_flips
from pipelines.science.metrics import THRESHOLD
from pipelines.science.pieces import pieces_of

if TYPE_CHECKING:
    from pipelines.judging.pairs import Pair
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]

_LETTERS = 40
"""Letters of a class's name that an example shows."""


def measure_flip_facts(spec: Spec, opponent: str, pair: Pair) -> FlipFacts:
    """Return what would be decided otherwise than by the champion.

    Raises BadData in words where a condition cannot be computed.
    """
    rule = spec.gate.flips
    if rule is None or opponent != "champion":
        return FlipFacts()
    ours, theirs = _decide(pair.ours, pair.threshold), _decide(pair.theirs, pair.their_threshold)
    changed = ours != theirs
    draws = draws_of(pair.rows, spec)
    slices = {part.name: part.mask for each in rule.by for part in named_slices(pair.rows, each)}
    whole, parts = measure_flips(
        changed, slices, pieces_of(draws["event_times"], draws["groups"], draws["span"])
    )
    return FlipFacts(whole, parts, tuple(_examples(spec, pair, changed, rule.examples)))


def _decide(answers: Array, threshold: float | None) -> Array:
    """Return the class (n,) that answers decide for."""
    if answers.ndim > 1:
        return np.asarray(answers.argmax(axis=1))
    return np.asarray(answers > (THRESHOLD if threshold is None else threshold)).astype(np.int64)


def _examples(spec: Spec, pair: Pair, changed: Array, count: int) -> list[tuple[str, str]]:
    """Return rows that change most, by their key, with both answers; personal columns left out."""
    away = np.abs(pair.ours - pair.theirs)
    away = away if away.ndim == 1 else away.max(axis=1)
    rows = np.flatnonzero(changed)
    rows = rows[np.argsort(-away[rows], kind="stable")][:count]
    hidden = hidden_columns(pair.rows, spec)
    names = [n for n in dict.fromkeys(spec.row_order) if n not in hidden]
    texts = row_texts(pair.rows, names, rows)
    return [
        (
            ", ".join(f"{n} {v}" for n, v in zip(names, values, strict=True)) or f"row {row}",
            f"{_say(pair, pair.theirs[row])} would become {_say(pair, pair.ours[row])}",
        )
        for row, values in zip(rows, texts, strict=True)
    ]


def _say(pair: Pair, answer: Any) -> str:
    if np.ndim(answer) == 0:
        return f"{float(answer):.3f}"
    best = int(np.argmax(answer))
    name = pair.classes[best] if pair.classes else str(best)
    if len(name) > _LETTERS:  # two names may share their first letters
        name = f"{name[:_LETTERS]}… (class {best})"
    return f"{name} ({float(answer[best]):.3f})"
