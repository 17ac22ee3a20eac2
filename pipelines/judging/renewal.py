"""The recipe of a challenger on the held-out rows: fitted again from part to part, as time goes on.

After a change a model that was fitted before it is as wrong as the champion: what is asked is
whether the same recipe, fitted on what is known by now, does better on what comes next. So the
held-out rows are cut into parts by their time. Each part is answered by a fit on all rows whose
label was known when it began; the first one by the challenger itself, which knows none of them.
Settings and threshold are those that training has found.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import schema_of
from pipelines.classes import widen
from pipelines.data import labelled_rows
from pipelines.errors import BadData
from pipelines.plurals import how_many
from pipelines.science.rolling import origins_of, parts_of
from pipelines.spec.rule_problems import why_no_renewal
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.own.process import own_code_of
from pipelines.training.preparation import with_series
from pipelines.training.quantiles import correction_groups
from pipelines.training.targets import binary_classes, classes_of, refuse_constant, targets
from pipelines.training.threads import limit_threads
from pipelines.training.weights import weights_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.judging.held_out import Answers
    from pipelines.messages import GateRequest, TrainResult
    from pipelines.science.gate.facts import Judging
    from pipelines.training.own.process import CodeProcess

    Array = np.ndarray[Any, Any]

_quiet = logging.getLogger("perennial.renewal")
_quiet.setLevel(logging.ERROR)
FEW = "the held-out rows are of one day, or whatever the spec calls alike, and make no parts"


def renew(
    context: Context,
    request: GateRequest,
    best: TrainResult,
    answers: Answers,
    holdout: pa.Table,
    judging: Judging,
) -> tuple[Answers, Judging]:
    """Return what the recipe answers to the held-out rows, and how it is judged.

    The challenger's own answers where its recipe is not asked for, or cannot be fitted again; how
    it is judged says why then.
    """
    spec = context.spec
    if not judging.asks_renewal:
        return answers, judging
    why = why_no_renewal(spec.gate.versus_champion.metric, spec.task, is_snapshot=spec.is_snapshot)
    if spec.candidate(best.candidate).onnx:
        why = "it is a finished model, which is never fitted again"
    if why:
        return answers, judging.without_renewal(why)
    times = labelled_rows.times(holdout, spec)
    parts = parts_of(times, spec.alike.span)
    if not parts.max():
        return answers, judging.without_renewal(FEW)
    try:
        with limit_threads(context.settings.threads), own_code_of(context) as own:
            everything, _ = labelled_rows.rows_to_fit(context, request.features)
            renewed = _Recipe.of(context, best, everything, holdout, own).answer(
                answers, parts, origins_of(times, parts)
            )
    except BadData as error:
        return answers, judging.without_renewal(f"it could not be fitted again: {error}"[:500])
    context.log.info(
        "%s is fitted again before %s", best.candidate, how_many(renewed.parts - 1, "part")
    )
    return renewed, replace(judging, parts=renewed.parts)


@dataclass(frozen=True)
class _Recipe:
    """How a challenger is made: its candidate with the parameters that training has found, and the
    rows (n,) that it may learn from and (m,) that judge.
    """

    context: Context
    best: TrainResult
    rows: pa.Table
    held: pa.Table
    y: Array
    classes: list[str] | None
    schema: InputSchema
    inputs: pd.DataFrame
    own: CodeProcess | None

    @classmethod
    def of(
        cls,
        context: Context,
        best: TrainResult,
        rows: pa.Table,
        holdout: pa.Table,
        own: CodeProcess | None,
    ) -> _Recipe:
        """Return the recipe with typed rows. Raises BadData where the target is one value."""
        spec = context.spec
        typed = estimators.give_types(rows, spec.inputs)
        held = estimators.give_types(holdout, spec.inputs, like=typed)
        classes = classes_of(typed, spec)
        schema = schema_of(typed, spec.inputs, spec.task, classes, spec.levels)
        schema = schema.model_copy(update={"binary_classes": binary_classes(spec, typed)})
        schema = with_series(schema, spec)
        y = targets(typed, spec, classes)
        inputs = estimators.frame(schema, typed)
        return cls(context, best, typed, held, y, classes, schema, inputs, own)

    def answer(self, first: Answers, parts: Array, origins: Array) -> Answers:
        """Return the answers to the held-out rows, of which each is of a part (m,).

        `first` are the challenger's, which stand for the first part; `origins` (parts,) are when
        the parts begin.
        """
        own, constant = first.own, first.constant
        if self.classes is not None and first.classes is not None:
            own, constant = (widen(a, first.classes, self.classes) for a in (own, constant))
        found = np.array(own, dtype=np.float64)
        frame = estimators.frame(self.schema, self.held)
        for part in range(1, len(origins)):
            mine = parts == part
            found[mine] = self._fit_and_ask(origins[part], frame[mine])
        return replace(
            first, own=found, constant=constant, classes=self.classes, parts=len(origins)
        )

    def _fit_and_ask(self, origin: Any, asked: pd.DataFrame) -> Array:
        """Return what a fit on all that was known at the origin answers."""
        spec = self.context.spec
        candidate = spec.candidate(self.best.candidate)
        by = (origin - np.timedelta64(spec.horizon)).astype("datetime64[us]").item()
        learn = np.flatnonzero(labelled_rows.visible(self.rows, spec, by))
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
