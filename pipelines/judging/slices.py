"""The slices that a spec names, or lets a tree find, and how challenger and opponent do in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.comparison.error_slices import slices_of
from pipelines.comparison.judged import hidden_columns, row_losses
from pipelines.data.conditions import rows_where
from pipelines.judging.two_answers import two_answers
from pipelines.science.gate.found_slices import find_slices, finding_rows
from pipelines.science.gate.slice_check import SliceFacts
from pipelines.science.gate.slices import SliceRows, judge_slices

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.judging.pairs import Pair
    from pipelines.science.gate.answers import TwoAnswers
    from pipelines.spec import Spec
    from pipelines.spec.gate_checks import SliceOf, Slices

    Array = np.ndarray[Any, Any]

CATEGORIES = 30
"""Texts of a column that are slices by themselves, the most frequent first."""
_TEXTS_FOR_TREE = 12


def measure_slices(context: Context, opponent: str, pair: Pair) -> SliceFacts:
    """Return what the rows of a pair show of each slice.

    Raises BadData in words where a condition cannot be computed.
    """
    spec = context.spec
    rule = spec.gate.slices
    if rule is None:
        return SliceFacts()
    metric = rule.metric or spec.gate.versus_champion.metric
    answers = two_answers(context, pair, metric)
    slices = [part for each in rule.by for part in _parts(spec, pair, answers, each, rule)]
    findings = judge_slices(answers, slices, rule, metric)
    return SliceFacts(metric, opponent, answers.pieces[0].unit, tuple(findings))


def _parts(
    spec: Spec, pair: Pair, answers: TwoAnswers, named: SliceOf, rule: Slices
) -> list[SliceRows]:
    if not named.found:
        return named_slices(pair.rows, named)
    ours, theirs = (
        row_losses(spec.task, answers.truth, p, spec.levels) for p in (pair.ours, pair.theirs)
    )
    half, judging = finding_rows(answers.pieces, spec.train.seed)
    return find_slices(
        _numbers_of(pair.rows, spec),
        ours - theirs,
        half,
        judging,
        least_rows=rule.min_rows,
        seed=spec.train.seed,
    )


def named_slices(rows: pa.Table, named: SliceOf) -> list[SliceRows]:
    """Return the slices of the rows that a condition or a column names.

    A column whose values do not vary makes none, and stands there without rows. Raises BadData in
    words where a condition cannot be computed.
    """
    if named.condition is not None:
        return [SliceRows(named.where or "", rows_where(rows, named.condition))]
    column = named.column or ""
    found = [SliceRows(*each) for each in slices_of(rows, [column], (), CATEGORIES)]
    nothing = np.full(rows.num_rows, fill_value=False)
    return found or [SliceRows(f"{column}: nothing to tell apart", nothing)]


def _numbers_of(rows: pa.Table, spec: Spec) -> dict[str, Array]:
    """Return the inputs as a tree sees them: numbers, and 0 or 1 for each frequent text."""
    hidden = hidden_columns(rows, spec)
    found: dict[str, Array] = {}
    for name in (n for n in spec.inputs if n in rows.column_names and n not in hidden):
        column = rows[name].combine_chunks()
        kind = column.type
        if pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            found |= {
                title: mask.astype(np.float64)
                for title, mask in slices_of(rows, [name], (), _TEXTS_FOR_TREE)
                if " = " in title
            }
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            numbers = column.cast(pa.float64(), safe=False)
            found[name] = np.asarray(pc.fill_null(numbers, float("nan")))
    return found
