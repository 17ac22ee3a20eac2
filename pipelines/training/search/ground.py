"""What every trial of a candidate stands on: its pipeline, its rows and the folds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.own_metrics import Measures
from pipelines.tasks import learns_named_classes
from pipelines.training.early_stopping import fit_and_stop
from pipelines.training.estimators import answers
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.parameters import set_parameters
from pipelines.training.scoring import fold_score

if TYPE_CHECKING:
    import logging

    import pandas as pd

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate, Spec

    Array = np.ndarray[Any, Any]
    Folds = list[tuple[Array, Array]]


@dataclass(frozen=True)
class Ground:
    """What every trial of a candidate stands on.

    The unfitted pipeline, inputs and targets y (n,) of the rows to learn from, folds of positions,
    and how much each row counts, weights (n,).
    """

    pipeline: Any
    candidate: Candidate
    spec: Spec
    inputs: pd.DataFrame
    y: Array
    folds: Folds
    log: logging.Logger
    schema: InputSchema
    weights: Array | None = None
    groups: Array | None = None
    """Rows of one group are not torn apart where quantiles are corrected."""
    measures: Measures = field(default_factory=Measures)
    """The metrics of the model's own, on these rows."""

    def pipeline_with(self, setting: dict[str, Any]) -> Any:
        """Return the unfitted pipeline with a setting by the spec's names."""
        from sklearn.base import clone

        return set_parameters(clone(self.pipeline), self.candidate, self.schema, setting)

    def fit(
        self, setting: dict[str, Any], rows: Array, messages: set[str] | None = None
    ) -> tuple[Any, int | None]:
        """Fit a setting on some rows; return the model and the rounds that early stopping found."""
        given = (self.pipeline_with(setting), self.inputs.iloc[rows], self.y[rows], self.candidate)
        weights = None if self.weights is None else self.weights[rows]
        groups = None if self.groups is None else self.groups[rows]
        if self.candidate.early_stopping is None:
            model = fit_pipeline(*given, self.log, messages, weights=weights, groups=groups)
            return model, None
        seed = self.spec.train.seed if self.spec.is_snapshot else None
        return fit_and_stop(*given, self.log, messages, weights=weights, seed=seed)

    def newest(self, rows: Array, share: float) -> Array:
        """Return a share of the positions of a fold's training rows.

        The newest ones, since rows are in order of time; of a snapshot, some drawn by the seed.
        """
        count = max(int(np.ceil(len(rows) * share)), 1)
        if count >= len(rows):
            return rows
        if not self.spec.is_snapshot:
            return rows[-count:]
        drawn = np.random.default_rng(self.spec.train.seed).permutation(len(rows))[:count]
        return rows[np.sort(drawn)]

    def score(self, model: Any, test: Array) -> tuple[float, Array]:
        """Return train.metric of the model's answers to a fold, and the answers."""
        y, classes = self.y[test], None
        with label_errors(self.candidate, "asked"):
            if learns_named_classes(self.spec.task):
                classes = [""] * (int(max(y.max(), *model.classes_)) + 1)
            given = answers(model, self.inputs.iloc[test], self.spec.task, classes)
            metric = self.measures.on(self.spec.train.metric, test)
            return fold_score(metric, y, given, self.spec), given
