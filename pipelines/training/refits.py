"""Both models fitted again, fold by fold, where a snapshot holds too few rows to hold some out.

The challenger is refitted as it came to be: where candidates or settings were chosen among, the
choice is made anew from each fold's training rows. Rows that have helped to choose would flatter
what they chose. The champion is refitted with its own settings.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import schema_of
from pipelines.data.sides import groups_of
from pipelines.errors import BadData
from pipelines.science.choice import Contender, choose
from pipelines.science.metrics import scores
from pipelines.science.refits import FOLDS, REPEATS, row_folds
from pipelines.spec import Candidate
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.search import search
from pipelines.training.targets import classes_of, refuse_constant, targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.context import Context
    from pipelines.messages import TrainResult

    Array = np.ndarray[Any, Any]
    Answer = Callable[[Array, Array], Array]
    """From the positions to learn from and to judge on to the answers to the latter."""

MOST_ROWS = 10_000
"""Above so many rows nothing is refitted: it would take too long, and enough can be held out."""
FITS = 600
"""About so many fits a search within the folds may take; there are fewer repeats instead."""
LEAST_REPEATS = 2

_quiet = logging.getLogger("perennial.refits")
_quiet.setLevel(logging.ERROR)


@dataclass(frozen=True)
class FoldScores:
    """The scores of one model by metric, (J,) each in the same order of folds; NaN where one is not
    defined.
    """

    by_metric: dict[str, Array]

    @property
    def means(self) -> dict[str, float | None]:
        """The mean of each metric; None where it is not defined in every fold."""
        return {
            name: float(values.mean()) if np.isfinite(values).all() else None
            for name, values in self.by_metric.items()
        }


class Refits:
    """A snapshot cut into folds, again and again, on which models are fitted anew."""

    def __init__(self, context: Context, table: pa.Table, trained: Sequence[TrainResult]) -> None:
        """Cut the folds. Raises BadData where there are too few rows, groups or rows of a class.

        `table` are all labelled rows; `trained` are the candidates that were chosen among.
        """
        spec = context.spec
        self._spec = spec
        self._table = estimators.give_types(table, spec.features.inputs)
        self._classes = classes_of(self._table, spec)
        self._y = targets(self._table, spec, self._classes)
        refuse_constant(self._y, spec, "rows")
        self._groups = groups_of(self._table, spec) if spec.train.group else None
        self._trained = [t for t in trained if not spec.candidate(t.candidate).declaration.dummy]
        self.choices = sum(t.settings_tried for t in self._trained)
        self.folds = self._count_folds()
        self.repeats = self._count_repeats()
        self._cuts = [
            cut
            for repeat in range(self.repeats)
            for cut in self._cut(np.arange(len(self._y)), self.folds, spec.train.seed + repeat)
        ]

    @property
    def groups(self) -> int | None:
        """How many groups the rows are of; None where each row is for itself."""
        return None if self._groups is None else len(np.unique(self._groups))

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
            return self._scores(self._answer(candidate, best.params, self._spec.features.inputs))
        return self._scores(self._chosen_answer)

    def champion(self, manifest: BundleManifest) -> FoldScores:
        """Return the scores of the champion, fitted again with its own settings and inputs.

        Raises BadData where it cannot be: another task, an input that is not built any more.
        """
        settings, inputs = manifest.settings, [c.name for c in manifest.inputs.columns]
        if manifest.inputs.task != self._spec.task:
            raise BadData(
                f"it does a {manifest.inputs.task} task, the spec asks for {self._spec.task}"
            )
        if settings is None:
            raise BadData("its bundle does not say with which settings it was fitted")
        absent = [name for name in inputs if name not in self._table.column_names]
        if absent:
            raise BadData(f"it needs {', '.join(absent)}, which is not built any more")
        candidate = Candidate.model_validate(
            {
                "name": manifest.candidate,
                "estimator": settings.estimator,
                **({"encode": settings.encode} if settings.encode else {}),
            }
        )
        return self._scores(self._answer(candidate, settings.params, inputs))

    def constant(self) -> FoldScores:
        """Return the scores of the best constant of each fold's training rows."""
        spec, metric = self._spec, self._spec.gate.versus_champion.metric

        def answer(train: Array, test: Array) -> Array:
            return estimators.constant(self._y[train], spec.task, metric, len(test), self._classes)

        return self._scores(answer, of_constant=True)

    def _count_folds(self) -> int:
        """Return how many folds there are: as many as each class has rows, at most five."""
        if self._spec.task == "regression":
            return FOLDS
        counts = np.bincount(self._y[self._y >= 0])
        least = int(counts[counts > 0].min())
        if least < 2:  # noqa: PLR2004 -- one to learn from and one to judge
            raise BadData(
                f"A class of {self._spec.target.column} has one row only: it cannot be both learnt"
                " and judged.",
                remedy="take a larger snapshot, or leave such rows out in features.py.",
            )
        return min(FOLDS, least)

    def _count_repeats(self) -> int:
        if self.choices <= 1:
            return REPEATS
        fits = self.folds * self.choices * self._spec.train.folds
        return max(LEAST_REPEATS, min(REPEATS, FITS // fits))

    def _cut(self, rows: Array, folds: int, seed: int) -> list[tuple[Array, Array]]:
        """Return the folds of some of the rows, as positions among these."""
        groups = None if self._groups is None else self._groups[rows]
        classify = self._spec.task != "regression"
        return row_folds(self._y[rows], groups, folds, classify=classify, seed=seed)

    def _scores(self, answer: Answer, *, of_constant: bool = False) -> FoldScores:
        rows = [
            scores(
                self._spec.task,
                self._y[test],
                answer(train, test),
                also=self._spec.metrics,
                of_constant=of_constant,
            )
            for train, test in self._cuts
        ]
        return FoldScores(
            {
                name: np.array([np.nan if r[name] is None else r[name] for r in rows], np.float64)
                for name in rows[0]
            }
        )

    def _answer(self, candidate: Candidate, params: dict[str, Any], inputs: list[str]) -> Answer:
        """Return what a candidate with these parameters answers, fitted on each fold."""
        schema = schema_of(self._table, inputs, self._spec.task, self._classes)
        frame = estimators.frame(schema, self._table)

        def answer(train: Array, test: Array) -> Array:
            pipeline = estimators.build_pipeline(candidate, schema, self._spec.train.seed, params)
            model = fit_pipeline(pipeline, frame.iloc[train], self._y[train], candidate, _quiet)
            with label_errors(candidate, "asked"):
                return estimators.answers(model, frame.iloc[test], self._spec.task, self._classes)

        return answer

    def _chosen_answer(self, train: Array, test: Array) -> Array:
        """Return the answers of the candidate and settings that the fold's training rows choose."""
        spec = self._spec
        schema = schema_of(self._table, spec.features.inputs, spec.task, self._classes)
        frame = estimators.frame(schema, self._table).iloc[train]
        inner = self._cut(train, spec.train.folds, spec.train.seed)
        options = {}
        for result in self._trained:
            candidate = spec.candidate(result.candidate)
            pipeline = estimators.build_pipeline(
                candidate, schema, spec.train.seed, candidate.params
            )
            tried = search(
                pipeline, candidate, spec, inputs=frame, y=self._y[train], folds=inner, log=_quiet
            )
            if tried.score is not None:
                options[candidate.name] = (candidate, tried, tried.score)
        contenders = [
            Contender(name, score, tuple(tried.fold_scores), candidate.rank)
            for name, (candidate, tried, score) in options.items()
        ]
        tested = max((tried.tested or 0.0 for _, tried, _ in options.values()), default=0.0)
        decision = choose(spec.train.metric, contenders, tested=tested, rule=spec.train.choice)
        if decision is None:
            raise BadData("No candidate has a finite score on the training rows of a fold.")
        candidate, tried, _ = options[decision.name]
        return self._answer(candidate, tried.params, spec.features.inputs)(train, test)
