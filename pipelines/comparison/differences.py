"""Where two versions answer differently: decisions that flip, distances, rows farthest apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.comparison.error_slices import row_texts, slices_of
from pipelines.comparison.scales import number_text
from pipelines.profiling.words import short
from pipelines.science.metrics import THRESHOLD
from pipelines.science.slices import LEAST
from pipelines.tasks import answers_scores, classifies, finds_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]

FARTHEST = 10
BINS = 30
_SLICES = 10
_COLUMNS = 8
_SAME = 1e-9


@dataclass(frozen=True)
class Differences:
    """How far answers lie apart.

    The distance of a row is after minus before (of classes: half the sum of what its probabilities
    moved, from 0 to 1). `flips` counts decisions that changed, None where nothing is decided;
    `quantiles` are those of the distances' sizes, `edges` and `counts` their histogram.
    """

    rows: int
    flips: int | None
    equal: int
    quantiles: dict[str, float]
    edges: list[float]
    counts: list[int]
    columns: list[str]
    farthest: list[list[str]]
    slices: list[tuple[str, int, float, float | None]]
    """By slice: its name, its rows, the mean size of the distance, the share of flips."""


def find_differences(
    spec: Spec,
    table: pa.Table,
    one: Array,
    other: Array,
    classes: list[str] | None,
    inputs: Sequence[str],
    hidden: dict[str, str],
    *,
    thresholds: tuple[float, float] = (THRESHOLD, THRESHOLD),
) -> Differences:
    """Return where the answers before (`one`) and after (`other`) differ.

    Shapes are those of `metrics`.
    """
    distance = _distance(one, other, at_levels=bool(spec.levels))
    size = np.abs(distance)
    flipped = _flips(spec.task, one, other, thresholds)
    apart = np.argsort(-size, kind="stable")[: min(FARTHEST, int((size > _SAME).sum()))]
    identity = [*spec.key, *([spec.event_time] if spec.event_time else [])]
    names = [
        n
        for n in dict.fromkeys([*identity, *inputs[:_COLUMNS]])
        if n not in hidden and n in table.column_names
    ]
    texts = row_texts(table, names, apart)
    answers = [[_text(p[i], classes) for p in (one, other)] for i in apart]
    counts, edges = np.histogram(distance, bins=BINS, range=_range(distance))
    return Differences(
        rows=len(size),
        flips=None if flipped is None else int(flipped.sum()),
        equal=int((size <= _SAME).sum()),
        quantiles={f"{q:.0%}": float(np.quantile(size, q)) for q in (0.5, 0.9, 0.99, 1.0)},
        edges=[float(e) for e in edges],
        counts=[int(c) for c in counts],
        columns=["before", "after", *(short(n, 40) for n in names)],
        farthest=[[*said, *row] for said, row in zip(answers, texts, strict=True)],
        slices=_by_slice(table, inputs, hidden, size, flipped),
    )


def _distance(one: Array, other: Array, *, at_levels: bool) -> Array:
    """Return by how much the answers (n,) moved: values with their sign, and of several numbers how
    far: probabilities as a share, quantiles by the mean over their levels.
    """
    if at_levels:
        return np.asarray(np.abs(other - one).mean(axis=1))
    return other - one if one.ndim == 1 else np.asarray(np.abs(other - one).sum(axis=1) / 2)


def _flips(task: str, one: Array, other: Array, thresholds: tuple[float, float]) -> Array | None:
    if not (classifies(task) or finds_classes(task) or answers_scores(task)):
        return None
    if one.ndim > 1:
        return np.asarray(one.argmax(axis=1) != other.argmax(axis=1))
    return np.asarray((one > thresholds[0]) != (other > thresholds[1]))


def _range(distance: Array) -> tuple[float, float]:
    reach = float(np.abs(distance).max()) or 1.0
    return (-reach if distance.min() < 0 else 0.0), reach


def _by_slice(
    table: pa.Table,
    inputs: Sequence[str],
    hidden: dict[str, str],
    size: Array,
    flipped: Array | None,
) -> list[tuple[str, int, float, float | None]]:
    """Return the slices whose answers moved farthest, by the mean."""
    found = [
        (
            name,
            int(mask.sum()),
            float(size[mask].mean()),
            None if flipped is None else float(flipped[mask].mean()),
        )
        for name, mask in slices_of(table, inputs, hidden)
        if mask.sum() >= LEAST
    ]
    return sorted(found, key=lambda s: -s[2])[:_SLICES]


def _text(answer: Any, classes: list[str] | None) -> str:
    if classes:
        best = int(np.argmax(answer))
        return f"{short(classes[best], 40)} ({float(answer[best]):.3f})"
    return " / ".join(number_text(float(each)) for each in np.ravel(answer))
