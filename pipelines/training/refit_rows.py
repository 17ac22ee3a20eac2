"""The rows of a snapshot on which models are fitted again, and the folds that they are cut into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import schema_of
from pipelines.data.sides import groups_of
from pipelines.errors import BadData
from pipelines.science.refits import FOLDS, REPEATS, row_folds
from pipelines.tasks import classifies
from pipelines.training import estimators
from pipelines.training.own_metrics import measure_rows
from pipelines.training.targets import classes_of, refuse_constant, targets
from pipelines.training.weights import weights_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.training.own.process import CodeProcess

    Array = np.ndarray[Any, Any]
    Fold = tuple[Array, Array]

MOST_ROWS = 10_000
"""Above so many rows nothing is refitted: it would take too long, and enough can be held out."""
FITS = 600
"""About so many fits a search within the folds may take; there are fewer repeats instead."""
LEAST_REPEATS = 2


class RefitRows:
    """The labelled rows of a snapshot, typed, and how they are cut into folds."""

    def __init__(self, context: Context, table: pa.Table, own: CodeProcess | None = None) -> None:
        """Type the rows.

        Raises BadData where the target is the same everywhere. `own` is the process of the model's
        own code.
        """
        spec = context.spec
        self.context, self.spec, self.own = context, spec, own
        self.table = estimators.give_types(table, spec.inputs)
        self.classes = classes_of(self.table, spec)
        self.y = targets(self.table, spec, self.classes)
        self.weights = weights_of(self.table, spec)
        refuse_constant(self.y, spec, "rows")
        self.groups = groups_of(self.table, spec) if spec.train.group else None
        self.measures = measure_rows(context, self.table, self.y, self.classes)

    def schema(self, inputs: list[str], levels: Sequence[float]) -> InputSchema:
        """Return the schema of a model with these inputs, and with these levels of quantiles."""
        return schema_of(self.table, inputs, self.spec.task, self.classes, levels)

    def count_folds(self) -> int:
        """Return how many folds there are: as many as each class has rows, at most five."""
        if not classifies(self.spec.task):
            return FOLDS
        counts = np.bincount(self.y[self.y >= 0])
        least = int(counts[counts > 0].min())
        if least < 2:  # noqa: PLR2004 -- one to learn from and one to judge
            raise BadData(
                f"A class of {self.spec.target.column} has one row only: it cannot be both learnt"
                " and judged.",
                remedy="take a larger snapshot, or leave such rows out in features.py.",
            )
        return min(FOLDS, least)

    def count_repeats(self, folds: int, choices: int) -> int:
        """Return how often the folds are cut: less often where many settings are chosen among."""
        if choices <= 1:
            return REPEATS
        fits = folds * choices * self.spec.train.folds
        return max(LEAST_REPEATS, min(REPEATS, FITS // fits))

    def cut_repeatedly(self, folds: int, repeats: int) -> list[Fold]:
        """Return the folds of all rows, cut again and again with other seeds."""
        everything = np.arange(len(self.y))
        seed = self.spec.train.seed
        return [cut for n in range(repeats) for cut in self._cut(everything, folds, seed + n)]

    def inner_folds(self, train: Array) -> list[Fold]:
        """Return the folds on which settings are compared, as positions among the rows."""
        return self._cut(train, self.spec.train.folds, self.spec.train.seed)

    def weights_at(self, train: Array) -> Array | None:
        """Return the weights of some of the rows; None where each counts the same."""
        return None if self.weights is None else self.weights[train]

    def correction_groups(self, train: Array) -> Array | None:
        """Return the groups that a correction of quantiles must not tear apart."""
        return None if self.groups is None else self.groups[train]

    def _cut(self, rows: Array, folds: int, seed: int) -> list[Fold]:
        """Return the folds of some of the rows, as positions among these."""
        groups = self.correction_groups(rows)
        classify = classifies(self.spec.task)
        return row_folds(self.y[rows], groups, folds, classify=classify, seed=seed)
