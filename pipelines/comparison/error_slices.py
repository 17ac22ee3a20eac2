"""On which rows a candidate errs most: slices of the holdout by its inputs, and the worst rows."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.comparison.judged import row_losses
from pipelines.comparison.scales import number_text
from pipelines.profiling.words import short
from pipelines.science.metrics import THRESHOLD, score
from pipelines.science.slices import LEAST, SliceLoss, compare_slices
from pipelines.tasks import answers_scores, classifies

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from pipelines.comparison.judged import Judged

    Array = np.ndarray[Any, Any]

BINS = 4
"""Parts that a number's values are cut into, of about equally many rows."""
CATEGORIES = 8
"""Texts of a column that are slices by themselves, the most frequent first."""
WORST_ROWS = 10
_COLUMNS = 60
_SHOWN = 15
_LONGEST = 40


@dataclass(frozen=True)
class ErrorSlice:
    """The rows of a slice: its name, the metric on them (None where undefined), and their loss."""

    name: str
    metric: float | None
    found: SliceLoss


@dataclass(frozen=True)
class ErrorSlices:
    """The slices, the worst against the rest first; `looked_at` is how many were compared.

    `loss` says what the loss is, and `unit` what its standard errors count as independent.
    """

    slices: list[ErrorSlice]
    looked_at: int
    loss: str
    unit: str


@dataclass(frozen=True)
class WorstRows:
    """The rows with the greatest loss: the columns' names, and each row's values as texts."""

    columns: list[str]
    rows: list[list[str]]
    hidden: dict[str, str]


def error_slices(judged: Judged, p: Array, threshold: float = THRESHOLD) -> ErrorSlices:
    """Return the slices of the holdout by the inputs that may be shown, given the answers p."""

    def measure(mask: Array) -> float | None:
        metric = judged.measures.on(spec.train.metric, np.flatnonzero(mask))
        return _finite(score(metric, judged.truth[mask], p[mask], threshold=threshold))

    spec = judged.spec
    named = list(slices_of(judged.holdout, spec.inputs, judged.hidden))
    loss = row_losses(spec.task, judged.truth, p, spec.levels)
    found = compare_slices(loss, [mask for _, mask in named], judged.pieces.of_row)
    judgements = [
        ErrorSlice(name, measure(mask), one)
        for (name, mask), one in zip(named, found, strict=True)
        if one is not None
    ]
    judgements.sort(key=lambda s: -s.found.difference)
    words = "log loss" if classifies(spec.task) else "distance from the truth"
    words = "mean pinball loss" if spec.levels else words
    if answers_scores(spec.task):
        words = "score"
    return ErrorSlices(judgements[:_SHOWN], len(judgements), words, judged.pieces.unit)


def slices_of(
    table: pa.Table,
    inputs: Sequence[str],
    hidden: Container[str],
    categories: int = CATEGORIES,
) -> Iterator[tuple[str, Array]]:
    """Yield each slice's name and its rows (m,): categories, parts of numbers, missing values.

    Of the inputs that are in the table and are not hidden; of texts the most frequent `categories`.
    Names that are the same when they are cut short are numbered.
    """
    seen: Counter[str] = Counter()
    for name, mask in _cut_columns(table, inputs, hidden, categories):
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})", mask


def _cut_columns(
    table: pa.Table, inputs: Sequence[str], hidden: Container[str], categories: int
) -> Iterator[tuple[str, Array]]:
    shown = [n for n in inputs if n not in hidden and n in table.column_names]
    for name in shown[:_COLUMNS]:
        column = table[name].combine_chunks()
        missing = np.asarray(pc.is_null(column, nan_is_null=True))
        title = short(name, _LONGEST)
        if missing.any() and not missing.all():
            yield f"{title} is missing", missing
        kind = column.type
        if pa.types.is_boolean(kind):
            values = np.asarray(pc.fill_null(column, fill_value=False))
            yield f"{title} is true", values & ~missing
            yield f"{title} is false", ~values & ~missing
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            yield from _of_numbers(title, column, missing)
        elif not (pa.types.is_nested(kind) or _is_bytes(kind)):  # lists and bytes have no name
            yield from _of_texts(title, column, missing, categories)


def _is_bytes(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(is_kind(kind) for is_kind in kinds)


def _of_numbers(title: str, column: pa.Array, missing: Array) -> Iterator[tuple[str, Array]]:
    values = np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), float("nan")))
    present = values[~missing]
    if not len(present) or not np.isfinite(present).all():
        return
    single = np.unique(present)
    if len(single) <= BINS + 1:
        for value in single if len(single) > 1 else ():
            yield f"{title} = {number_text(float(value))}", values == value
        return
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1), method="lower"))
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        last = i == len(edges) - 2  # which holds its upper end too
        inside = (values >= low) & ((values <= high) if last else (values < high))
        ends = f"{number_text(float(low))} to {number_text(float(high))}"
        yield f"{title}: {ends}", inside


def _of_texts(
    title: str, column: pa.Array, missing: Array, categories: int
) -> Iterator[tuple[str, Array]]:
    texts = column.cast(pa.string())
    counts = pc.value_counts(texts).to_pylist()
    often = [c for c in counts if c["values"] is not None and c["counts"] >= LEAST]
    often.sort(key=lambda c: (-c["counts"], c["values"]))
    chosen = [c["values"] for c in often[:categories]]
    for value in chosen:
        mask = np.asarray(pc.fill_null(pc.equal(texts, value), fill_value=False))
        yield f"{title} = {short(value, _LONGEST)}", mask
    rest = ~missing & ~np.asarray(
        pc.fill_null(pc.is_in(texts, pa.array(chosen, texts.type)), fill_value=False)
    )
    if chosen and rest.any():
        yield f"{title}: all others", rest


def worst_rows(judged: Judged, p: Array, inputs: list[str]) -> WorstRows:
    """Return the held-out rows with the greatest loss: key, time, truth, answer, some inputs.

    Columns that are or look personal are left out.
    """
    spec = judged.spec
    loss = row_losses(spec.task, judged.truth, p, spec.levels)
    worst = np.argsort(-np.where(np.isfinite(loss), loss, np.inf), kind="stable")[:WORST_ROWS]
    identity = [*spec.key, *([spec.event_time] if spec.event_time else [])]
    names = list(dict.fromkeys([*identity, *inputs]))
    shown = [n for n in names if n not in judged.hidden]
    values = row_texts(judged.holdout, shown, worst)
    truth, said = _truths(judged, worst), [_answer_text(judged, p[i]) for i in worst]
    rows = [
        [truth[i], said[i], number_text(float(loss[at])), *values[i]] for i, at in enumerate(worst)
    ]
    titles = [short(n, _LONGEST) for n in shown]
    left_out = {n: why for n, why in judged.hidden.items() if n in names}
    return WorstRows(["truth", "predicted", "loss", *titles], rows, left_out)


def row_texts(table: pa.Table, names: Sequence[str], rows: Array) -> list[list[str]]:
    """Return some rows' values of these columns as they are read."""
    some = table.select(list(names)).take(pa.array(rows))
    columns = [[_value_text(v) for v in some[n].to_pylist()] for n in names]
    return [list(row) for row in zip(*columns, strict=True)] or [[] for _ in rows]


def _truths(judged: Judged, rows: Array) -> list[str]:
    if not judged.spec.has_target:
        return ["-"] * len(rows)
    column = judged.holdout[judged.spec.target.column].take(pa.array(rows))
    return [_value_text(v) for v in column.to_pylist()]


def _answer_text(judged: Judged, answer: Any) -> str:
    if judged.classes:
        best = int(np.argmax(answer))
        return f"{short(judged.classes[best], _LONGEST)} ({float(answer[best]):.3f})"
    # A cell breaks its lines between words: the levels of an answer stay on one.
    return "\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}".join(
        number_text(float(each)) for each in np.ravel(answer)
    )


def _value_text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return number_text(value) if np.isfinite(value) else str(value)
    return short(str(value), _LONGEST)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
