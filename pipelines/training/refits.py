"""Both models fitted again, fold by fold, where a snapshot holds too few rows to hold some out.

The challenger is refitted as it came to be: where candidates or settings were chosen among, the
choice is made anew from each fold's training rows. Rows that have helped to choose would flatter
what they chose. The champion is refitted with its own settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.environments import ready
from pipelines.errors import BadData
from pipelines.fence.own_code import OwnCode
from pipelines.science.metrics import scores
from pipelines.science.promise import COVERAGE, promise_over_folds
from pipelines.science.refits import REPEATS
from pipelines.spec import Candidate
from pipelines.spec.candidates import OWN_FILE
from pipelines.spec.estimators import FINISHED
from pipelines.spec.quantiles import Conformal, Quantiles
from pipelines.tasks import answers_scores, with_article
from pipelines.training import estimators
from pipelines.training.own.candidates import read_candidate
from pipelines.training.own.process import own_code_of
from pipelines.training.refit_answers import (
    chosen_answer,
    deciding_answer,
    finished_answer,
    fixed_answer,
)
from pipelines.training.refit_rows import RefitRows
from pipelines.training.scoring import constants_threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.bundle.manifest import BundleManifest, Settings
    from pipelines.context import Context
    from pipelines.messages import TrainResult
    from pipelines.science.own_metrics import Measures
    from pipelines.science.promise import Promise
    from pipelines.training.own.process import CodeProcess
    from pipelines.training.refit_answers import Answer, Decision

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FoldScores:
    """The scores of one model by metric, (J,) each in the same order of folds; NaN where one is not
    defined.
    """

    by_metric: dict[str, Array]
    flags: Array | None = None
    """Of an anomaly model: which rows (n,) are flagged, each by the fit of the first cut that has
    not seen it and at that fit's threshold.
    """

    @property
    def means(self) -> dict[str, float | None]:
        """The mean of each metric; None where it is not defined in every fold."""
        return {
            name: float(values.mean()) if np.isfinite(values).all() else None
            for name, values in self.by_metric.items()
        }


class Refits:
    """A snapshot cut into folds, again and again, on which models are fitted anew."""

    def __init__(
        self,
        context: Context,
        table: pa.Table,
        trained: Sequence[TrainResult],
        own: CodeProcess | None = None,
    ) -> None:
        """Cut the folds. Raises BadData where there are too few rows, groups or rows of a class.

        `table` are all labelled rows; `trained` are the candidates that were chosen among; `own` is
        the process of the model's own code.
        """
        spec = context.spec
        self._context, self._spec = context, spec
        self._rows = RefitRows(context, table, own)
        self._trained = [t for t in trained if not spec.candidate(t.candidate).declaration.dummy]
        self.choices = sum(t.settings_tried for t in self._trained)
        self.folds = self._rows.count_folds()
        self.repeats = self._rows.count_repeats(self.folds, self.choices)
        self._cuts = self._rows.cut_repeatedly(self.folds, self.repeats)

    @property
    def measures(self) -> Measures:
        """What the model's metrics see of the rows."""
        return self._rows.measures

    @property
    def groups(self) -> int | None:
        """How many groups the rows are of; None where each row is for itself."""
        groups = self._rows.groups
        return None if groups is None else len(np.unique(groups))

    @property
    def tested(self) -> float:
        """How many rows judge for each row that is learnt from."""
        return 1 / (self.folds - 1)

    @property
    def freedom(self) -> int | None:
        """The degrees of freedom of the comparison: where folds are cut less often than ten times,
        those of one repeat.
        """
        return None if self.repeats >= REPEATS else self.folds - 1

    @property
    def text(self) -> str:
        """How the models are compared, in words."""
        text = f"{self.folds} folds, cut {self.repeats} times"
        if self.choices > 1:
            text += f", the best of {self.choices} settings chosen anew in each"
        return text

    def challenger(self, best: TrainResult) -> FoldScores:
        """Return the scores of the challenger: of the way in which it was chosen and fitted."""
        if self.choices == 1:
            candidate = self._spec.candidate(best.candidate)
            return self._scores(deciding_answer(self._rows, candidate, best.params))
        return self._scores(chosen_answer(self._rows, self._trained))

    def champion(self, manifest: BundleManifest) -> FoldScores:
        """Return the scores of the champion, fitted again with its own settings and inputs.

        Raises BadData where it cannot be: another task, an input that is not built any more.
        """
        settings, inputs = manifest.settings, [c.name for c in manifest.inputs.columns]
        if manifest.inputs.task != self._spec.task:
            raise BadData(
                f"it does {with_article(manifest.inputs.task)}, the spec asks for {self._spec.task}"
            )
        if settings is None:
            raise BadData("its bundle does not say with which settings it was fitted")
        absent = [name for name in inputs if name not in self._rows.table.column_names]
        if absent:
            raise BadData(f"it needs {', '.join(absent)}, which is not built any more")
        if settings.estimator == FINISHED:
            return self._scores_of(finished_answer(self._rows, manifest), manifest)
        candidate = _candidate_of(manifest.candidate, settings)
        candidate.place(
            candidate.parts,
            in_time=not self._spec.is_snapshot,
            requires=manifest.code is not None,
            quantiles=_quantiles_of(manifest.inputs.levels, settings.corrected_on),
        )
        if manifest.code is None:
            answer = fixed_answer(self._rows, candidate, settings.params, inputs)
            return self._scores_of(answer, manifest)
        # Its own code, not that which the folder holds by now.
        code = OwnCode.model_validate_json(self._context.ports.store.get(manifest.code))
        record, store = manifest.environment, self._context.ports.store
        paths = [] if record is None else ready.paths(record, self._context.settings, store)
        with own_code_of(self._context, code, paths) as own:
            answer = fixed_answer(self._rows, candidate, settings.params, inputs, own)
            return self._scores_of(answer, manifest)

    def constant(self) -> FoldScores:
        """Return the scores of the best constant of each fold's training rows."""
        spec, metric = self._spec, self._spec.gate.versus_champion.metric

        def answer(train: Array, test: Array) -> tuple[Array, float]:
            p = estimators.constant(
                self._rows.y[train],
                spec.task,
                spec.metric_named(metric),
                len(test),
                self._rows.classes,
                spec.levels,
            )
            measure = self.measures.on(metric, test)
            return p, constants_threshold(measure, self._rows.y[test], p, spec)

        return self._scores(answer, of_constant=True)

    def promise(self, scores: FoldScores) -> Promise | None:
        """Return what the folds show of a promised coverage; None where none is promised."""
        if self._spec.quantiles is None:
            return None
        return promise_over_folds(
            self._spec.quantiles,
            scores.by_metric[COVERAGE],
            tested=self.tested,
            freedom=self.freedom,
            confidence=self._spec.gate.versus_champion.confidence_by("better"),
        )

    @property
    def learnt_from(self) -> int:
        """How many rows the smallest fit of the first cut learns from."""
        return min(len(train) for train, _ in self._cuts[: self.folds])

    def _scores(self, answer: Decision, *, of_constant: bool = False) -> FoldScores:
        rows = []
        flags = np.zeros(len(self._rows.y), dtype=bool) if answers_scores(self._spec.task) else None
        for nth, (train, test) in enumerate(self._cuts):
            p, threshold = answer(train, test)
            if flags is not None and nth < self.folds:
                flags[test] = p > threshold
            rows.append(
                scores(
                    self._spec.task,
                    self._rows.y[test],
                    p,
                    also=self._spec.metrics,
                    own=self.measures.take(test).own.values(),
                    levels=self._spec.levels,
                    threshold=threshold,
                    of_constant=of_constant and self._spec.threshold is None,
                )
            )
        return FoldScores(
            {
                name: np.array([np.nan if r[name] is None else r[name] for r in rows], np.float64)
                for name in rows[0]
            },
            flags,
        )

    def _scores_of(self, answer: Answer, manifest: BundleManifest) -> FoldScores:
        """Return the scores of a version, which decides at its own threshold."""
        return self._scores(lambda *fold: (answer(*fold), manifest.threshold_value))


def _candidate_of(name: str, settings: Settings) -> Candidate:
    """Return the candidate that a version was fitted by.

    Of a bundle that kept no more, the estimator and its encoding.
    """
    if settings.made_of:
        return read_candidate(settings.made_of)
    function = settings.estimator.removeprefix(f"{OWN_FILE}:")
    return Candidate.model_validate(
        {
            "name": name,
            "estimator": settings.estimator,
            **({"encode": settings.encode} if settings.encode else {}),
            **({"pipeline": function} if function != settings.estimator else {}),
        }
    )


def _quantiles_of(levels: list[float] | None, corrected_on: float | None) -> Quantiles | None:
    """Return the quantiles that a version was fitted for, and how they were corrected."""
    if not levels:
        return None
    share = None if corrected_on is None else Conformal(share=corrected_on)
    return Quantiles(levels=levels, conformal=share)
