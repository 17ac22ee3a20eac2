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

from pipelines.bundle.predictor import NativePredictor
from pipelines.bundle.rows import feed_from_table, schema_of
from pipelines.data.sides import groups_of
from pipelines.environments import ready
from pipelines.errors import BadData
from pipelines.fence.own_code import OwnCode
from pipelines.levels import level_names, pick_levels
from pipelines.science.choice import Contender
from pipelines.science.choice import choose as choose_candidate
from pipelines.science.metrics import scores
from pipelines.science.promise import COVERAGE, promise_over_folds
from pipelines.science.refits import FOLDS, REPEATS, row_folds
from pipelines.spec import Candidate
from pipelines.spec.candidates import OWN_FILE
from pipelines.spec.estimators import FINISHED
from pipelines.spec.quantiles import Conformal, Quantiles
from pipelines.tasks import classifies, is_wide, with_article
from pipelines.training import estimators
from pipelines.training.decision_threshold import FoldedRows, choose
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.own.candidates import read_candidate
from pipelines.training.own.process import own_code_of
from pipelines.training.own_metrics import measure_rows
from pipelines.training.scoring import constants_threshold
from pipelines.training.search import search
from pipelines.training.search.trials import Ground
from pipelines.training.targets import classes_of, refuse_constant, targets
from pipelines.training.weights import weights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from pipelines.bundle.manifest import BundleManifest, Settings
    from pipelines.context import Context
    from pipelines.messages import TrainResult
    from pipelines.science.promise import Promise
    from pipelines.training.own.process import CodeProcess

    Array = np.ndarray[Any, Any]
    Answer = Callable[[Array, Array], tuple[Array, float]]
    """From the positions to learn from and to judge on to the answers to the latter, and to the
    threshold of a decision.
    """

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
        self._context, self._own = context, own
        self._spec = spec
        self._table = estimators.give_types(table, spec.inputs)
        self._classes = classes_of(self._table, spec)
        self._y = targets(self._table, spec, self._classes)
        self._weights = weights_of(self._table, spec)
        refuse_constant(self._y, spec, "rows")
        self._groups = groups_of(self._table, spec) if spec.train.group else None
        self.measures = measure_rows(context, self._table, self._y, self._classes)
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
            return self._scores(self._deciding_answer(candidate, best.params, self._own))
        return self._scores(self._chosen_answer)

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
        absent = [name for name in inputs if name not in self._table.column_names]
        if absent:
            raise BadData(f"it needs {', '.join(absent)}, which is not built any more")
        if settings.estimator == FINISHED:
            return self._scores_of(self._finished_answer(manifest), manifest)
        candidate = _candidate_of(manifest.candidate, settings)
        candidate.place(
            candidate.parts,
            in_time=not self._spec.is_snapshot,
            requires=manifest.code is not None,
            quantiles=_quantiles_of(manifest.inputs.levels, settings.corrected_on),
        )
        if manifest.code is None:
            return self._scores_of(self._answer(candidate, settings.params, inputs), manifest)
        # Its own code, not that which the folder holds by now.
        code = OwnCode.model_validate_json(self._context.ports.store.get(manifest.code))
        record, store = manifest.environment, self._context.ports.store
        paths = [] if record is None else ready.paths(record, self._context.settings, store)
        with own_code_of(self._context, code, paths) as own:
            answer = self._answer(candidate, settings.params, inputs, own)
            return self._scores_of(answer, manifest)

    def constant(self) -> FoldScores:
        """Return the scores of the best constant of each fold's training rows."""
        spec, metric = self._spec, self._spec.gate.versus_champion.metric

        def answer(train: Array, test: Array) -> tuple[Array, float]:
            p = estimators.constant(
                self._y[train],
                spec.task,
                spec.metric_named(metric),
                len(test),
                self._classes,
                spec.levels,
            )
            measure = self.measures.on(metric, test)
            return p, constants_threshold(measure, self._y[test], p, spec)

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
            confidence=self._spec.gate.versus_champion.confidence,
        )

    def _count_folds(self) -> int:
        """Return how many folds there are: as many as each class has rows, at most five."""
        if not classifies(self._spec.task):
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
        classify = classifies(self._spec.task)
        return row_folds(self._y[rows], groups, folds, classify=classify, seed=seed)

    def _scores(self, answer: Answer, *, of_constant: bool = False) -> FoldScores:
        rows = []
        for train, test in self._cuts:
            p, threshold = answer(train, test)
            rows.append(
                scores(
                    self._spec.task,
                    self._y[test],
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
            }
        )

    def _deciding_answer(
        self, candidate: Candidate, params: dict[str, Any], own: CodeProcess | None = None
    ) -> Answer:
        """Return what a candidate answers, with a threshold chosen from each fold's training
        rows.
        """
        spec = self._spec
        schema = schema_of(self._table, spec.inputs, spec.task, self._classes, spec.levels)
        frame = estimators.frame(schema, self._table)
        answer = self._answer(candidate, params, spec.inputs, own)

        def answer_with_threshold(train: Array, test: Array) -> tuple[Array, float]:
            folds = [] if spec.threshold is None else self._inner_folds(train)
            rows = FoldedRows(
                schema, frame.iloc[train], self._y[train], folds, self.measures.take(train), own
            )
            chosen = choose(spec, candidate, params, rows, _quiet)
            return answer(train, test), chosen.value

        return answer_with_threshold

    def _scores_of(
        self, answer: Callable[[Array, Array], Array], manifest: BundleManifest
    ) -> FoldScores:
        """Return the scores of a version, which decides at its own threshold."""
        return self._scores(lambda *fold: (answer(*fold), manifest.threshold_value))

    def _inner_folds(self, train: Array) -> list[tuple[Array, Array]]:
        """Return the folds on which settings are compared, as positions among the rows."""
        return self._cut(train, self._spec.train.folds, self._spec.train.seed)

    def _answer(
        self,
        candidate: Candidate,
        params: dict[str, Any],
        inputs: list[str],
        own: CodeProcess | None = None,
    ) -> Callable[[Array, Array], Array]:
        """Return what a candidate with these parameters answers, fitted on each fold."""
        levels = candidate.quantiles.levels if candidate.quantiles else ()
        schema = schema_of(self._table, inputs, self._spec.task, self._classes, levels)
        frame = estimators.frame(schema, self._table)

        def answer(train: Array, test: Array) -> Array:
            pipeline = estimators.build_pipeline(
                candidate, schema, self._spec.train.seed, params, own or self._own
            )
            weights = None if self._weights is None else self._weights[train]
            model = fit_pipeline(
                pipeline,
                frame.iloc[train],
                self._y[train],
                candidate,
                _quiet,
                weights=weights,
                groups=self._correction_groups(train),
            )
            with label_errors(candidate, "asked"):
                found = estimators.answers(model, frame.iloc[test], self._spec.task, self._classes)
            return self._at_levels(found, levels)

        return answer

    def _correction_groups(self, train: Array) -> Array | None:
        """Return the groups that a correction of quantiles must not tear apart."""
        return None if self._groups is None else self._groups[train]

    def _at_levels(self, answers: Array, own: Sequence[float]) -> Array:
        """Return the answers at the spec's levels.

        Raises BadData where the version, an earlier one, does not answer at one of them.
        """
        if not self._spec.levels:
            return answers
        found = pick_levels(answers, own, self._spec.levels)
        if found is None:
            raise BadData(f"it answers at the levels {', '.join(level_names(own))} only")
        return found

    def _finished_answer(self, manifest: BundleManifest) -> Callable[[Array, Array], Array]:
        """Return what a finished champion answers: nothing of it is fitted again."""
        model = NativePredictor(manifest.inputs, self._context.ports.store.get(manifest.native))
        feed = feed_from_table(manifest.inputs.columns, self._table)

        def answer(_: Array, test: Array) -> Array:
            answers = model.predict_feed({name: a[test] for name, a in feed.items()})
            return answers if is_wide(self._spec.task) else answers[:, 0]

        return answer

    def _chosen_answer(self, train: Array, test: Array) -> tuple[Array, float]:
        """Return the answers of the candidate and settings that the fold's training rows choose."""
        spec = self._spec
        schema = schema_of(self._table, spec.inputs, spec.task, self._classes, spec.levels)
        frame = estimators.frame(schema, self._table).iloc[train]
        inner = self._inner_folds(train)
        measures = self.measures.take(train)
        options = {}
        for result in self._trained:
            candidate = spec.candidate(result.candidate)
            pipeline = estimators.build_pipeline(
                candidate, schema, spec.train.seed, candidate.params, self._own
            )
            weights = None if self._weights is None else self._weights[train]
            tried = search(
                Ground(
                    pipeline,
                    candidate,
                    spec,
                    frame,
                    self._y[train],
                    inner,
                    _quiet,
                    schema,
                    weights=weights,
                    groups=self._correction_groups(train),
                    measures=measures,
                )
            )
            if tried.score is not None:
                options[candidate.name] = (candidate, tried, tried.score)
        contenders = [
            Contender(name, score, tuple(tried.fold_scores), candidate.rank)
            for name, (candidate, tried, score) in options.items()
        ]
        tested = max((tried.tested or 0.0 for _, tried, _ in options.values()), default=0.0)
        decision = choose_candidate(
            spec.train.metric,
            contenders,
            greater_is_better=spec.metric_named(spec.train.metric).greater_is_better,
            tested=tested,
            rule=spec.train.choice,
        )
        if decision is None:
            raise BadData("No candidate has a finite score on the training rows of a fold.")
        candidate, tried, _ = options[decision.name]
        return self._deciding_answer(candidate, tried.params, self._own)(train, test)


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
