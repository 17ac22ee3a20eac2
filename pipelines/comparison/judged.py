"""What the candidates of a retraining learnt from and were judged on, prepared once for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.data import labelled_rows
from pipelines.data.sides import alike_groups, groups_of
from pipelines.profiling.personal import looks_personal
from pipelines.science.formulas.levels import mean_losses
from pipelines.science.own_metrics import Measures
from pipelines.science.pieces import Pieces, pieces_of
from pipelines.tasks import answers_scores, classifies
from pipelines.training.estimators import frame
from pipelines.training.naive import seasonal_naive
from pipelines.training.own_metrics import measure_rows
from pipelines.training.preparation import prepare

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.messages import FeaturesResult
    from pipelines.spec import Spec
    from pipelines.training.preparation import Prepared

    Array = np.ndarray[Any, Any]

_EPSILON = 1e-15
_TEXTS = 200
"""Values of a column that are looked at for personal data."""


@dataclass(frozen=True)
class Judged:
    """The rows of a retraining: `y` and `inputs` (n) to learn from, `truth` (m) of the holdout."""

    spec: Spec
    prepared: Prepared
    raw_holdout: pa.Table
    """The held-out rows as they were read; `holdout` has types where a column has no value."""
    measures: Measures = field(default_factory=Measures)
    """The model's own metrics on the held-out rows."""
    learnt_measures: Measures = field(default_factory=Measures)
    """The same on the rows to learn from."""

    @property
    def y(self) -> Array:
        """The targets of the rows to learn from."""
        return self.prepared.y

    @property
    def truth(self) -> Array:
        """The targets of the held-out rows."""
        return self.prepared.truth

    @property
    def classes(self) -> list[str] | None:
        """The names of a multiclass target's classes."""
        return self.prepared.classes

    @property
    def schema(self) -> InputSchema:
        """The inputs in their order."""
        return self.prepared.schema

    @property
    def inputs(self) -> pd.DataFrame:
        """The inputs of the rows to learn from."""
        return self.prepared.inputs

    @property
    def holdout(self) -> pa.Table:
        """The held-out rows with all their columns."""
        return self.prepared.holdout

    @cached_property
    def held_inputs(self) -> pd.DataFrame:
        """The inputs of the held-out rows."""
        return frame(self.schema, self.holdout)

    @cached_property
    def times(self) -> Array | None:
        """The event times of the held-out rows (m,); None of a snapshot."""
        return None if self.spec.is_snapshot else labelled_rows.times(self.holdout, self.spec)

    @cached_property
    def groups(self) -> Array | None:
        """The groups of the held-out rows (m,); None where they have a time and no groups."""
        if self.spec.is_snapshot:
            return groups_of(self.holdout, self.spec)
        return alike_groups(self.holdout, self.spec)

    @cached_property
    def pieces(self) -> Pieces:
        """Which of the held-out rows are one piece of evidence."""
        ways = pieces_of(self.times, self.groups, self.spec.alike.span)
        return min(ways, key=lambda way: way.count)

    @cached_property
    def naive(self) -> Array | None:
        """The seasonal naive forecast of the held-out rows (m,); None of other tasks."""
        return seasonal_naive(self.holdout, self.spec)

    @cached_property
    def hidden(self) -> dict[str, str]:
        """The columns of the holdout that are not shown, with the reason."""
        return hidden_columns(self.holdout, self.spec)

    def newest_first(self) -> Array:
        """Return the positions (n,) of the rows to learn from, the newest first.

        Of a snapshot in a seeded order.
        """
        if self.spec.is_snapshot:
            rng = np.random.default_rng(self.spec.train.seed)
            return np.asarray(rng.permutation(len(self.y)))
        times = labelled_rows.times(self.prepared.train, self.spec)
        return np.asarray(np.argsort(times, kind="stable")[::-1])


def judged_rows(context: Context, features: FeaturesResult) -> Judged:
    """Return the rows that the candidates of a run learnt from and were judged on."""
    split = labelled_rows.split(context, features)
    rows = prepare(split.train, split.holdout, context.spec)
    return Judged(
        context.spec,
        rows,
        split.holdout,
        measures=measure_rows(context, rows.holdout, rows.truth, rows.classes),
        learnt_measures=measure_rows(context, rows.train, rows.y, rows.classes),
    )


def row_losses(task: str, y: Array, p: Array, levels: tuple[float, ...] = ()) -> Array:
    """Return each row's loss (n,): the distance of a value, or -log of its class's probability.

    Of quantiles it is the mean pinball loss over their `levels`. Of an anomaly model it is the
    score itself: the strangest rows are to be looked at.
    """
    if levels:
        return mean_losses(y, p, levels)
    if answers_scores(task):
        return np.asarray(p)
    if not classifies(task):
        return np.asarray(np.abs(y - p))
    if p.ndim == 1:
        own = np.where(y == 1, p, 1 - p)
    else:
        known = np.maximum(y, 0).astype(np.int64)
        own = np.where(y < 0, 0.0, p[np.arange(len(p)), known])
    return np.asarray(-np.log(np.clip(own, _EPSILON, 1.0)))


def hidden_columns(table: pa.Table, spec: Spec) -> dict[str, str]:
    """Return the columns whose values are not shown, with the reason in words."""
    import pyarrow as pa

    hidden = {}
    for name in table.column_names:
        column = table[name]
        texts: list[str] = []
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts = [str(v) for v in column.drop_null().slice(0, _TEXTS).to_pylist()]
        if name in spec.features.personal:
            hidden[name] = "personal, as the spec says"
        elif why := looks_personal(name, texts):
            hidden[name] = f"looks personal: {why}"
    return hidden
