"""How a challenger is made, so that it can be fitted again on some of a run's rows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import schema_of
from pipelines.data import labelled_rows
from pipelines.errors import BadData, ModelFailed, SpecError
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.preparation import with_series
from pipelines.training.quantiles import correction_groups
from pipelines.training.targets import binary_classes, classes_of, refuse_constant, targets
from pipelines.training.weights import weights_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.messages import TrainResult
    from pipelines.recipes import Learnt
    from pipelines.training.own.process import CodeProcess

    Array = np.ndarray[Any, Any]

_quiet = logging.getLogger("perennial.recipe")
_quiet.setLevel(logging.ERROR)

CANNOT_FIT = (BadData, ModelFailed, SpecError)
"""What a fit raises that these rows do not allow: of one class, say, or too many for own code."""


@dataclass(frozen=True)
class Recipe:
    """A candidate with the parameters that training has found, and the rows (n,) of a run.

    `y` are their targets and `times` their event times, both (n,); `classes` name the classes.
    """

    context: Context
    best: TrainResult | Learnt
    rows: pa.Table
    y: Array
    times: Array
    classes: list[str] | None
    schema: InputSchema
    inputs: pd.DataFrame
    own: CodeProcess | None

    @classmethod
    def of(
        cls, context: Context, best: TrainResult | Learnt, rows: pa.Table, own: CodeProcess | None
    ) -> Recipe:
        """Return the recipe with typed rows; `own` is the process of the model's own code."""
        spec = context.spec
        typed = estimators.give_types(rows, spec.inputs)
        classes = classes_of(typed, spec)
        schema = schema_of(typed, spec.inputs, spec.task, classes, spec.levels)
        schema = schema.model_copy(update={"binary_classes": binary_classes(spec, typed)})
        schema = with_series(schema, spec)
        return cls(
            context=context,
            best=best,
            rows=typed,
            y=targets(typed, spec, classes),
            times=labelled_rows.times(typed, spec),
            classes=classes,
            schema=schema,
            inputs=estimators.frame(schema, typed),
            own=own,
        )

    def frame(self, rows: pa.Table) -> pd.DataFrame:
        """Return other rows as a fit is asked for them."""
        typed = estimators.give_types(rows, self.context.spec.inputs, like=self.rows)
        return estimators.frame(self.schema, typed)

    def known_at(self, origin: Any, since: Any = None) -> Array:
        """Return the positions of the rows whose label was known at an origin, from `since` on."""
        by = origin - np.timedelta64(self.context.spec.horizon)
        moment = by.astype("datetime64[us]").item()
        known = labelled_rows.visible(self.rows, self.context.spec, moment)
        return np.flatnonzero(known if since is None else known & (self.times >= since))

    def fit_and_ask(self, learn: Array, asked: pd.DataFrame) -> Array:
        """Return what a fit on the rows at these positions answers.

        Raises BadData where there are none, or they cannot be learnt from.
        """
        spec = self.context.spec
        candidate = spec.candidate(self.best.candidate)
        if not len(learn):
            raise BadData("no row was known by then")
        refuse_constant(self.y[learn], spec, "rows")
        some = self.rows.take(learn)
        model = fit_pipeline(
            estimators.build_pipeline(
                candidate, self.schema, spec.train.seed, self.best.params, self.own
            ),
            self.inputs.iloc[learn],
            self.y[learn],
            candidate,
            _quiet,
            weights=weights_of(some, spec),
            groups=correction_groups(some, spec),
        )
        with label_errors(candidate, "asked"):
            return estimators.answers(model, asked, spec.task, self.classes)
