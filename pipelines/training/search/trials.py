"""One setting, tried on the folds: its scores, and the answers of the best so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipelines.errors import BadData
from pipelines.science.metrics import better_by
from pipelines.science.own_metrics import Measures
from pipelines.tasks import learns_named_classes
from pipelines.training.early_stopping import fit_and_stop
from pipelines.training.estimators import answers
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.parameters import set_parameters
from pipelines.training.scoring import fold_score
from pipelines.training.search.clock import TimeIsUp
from pipelines.training.search.journal import FoldRun
from pipelines.training.search.space import plain

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    import pandas as pd

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate, Spec
    from pipelines.training.search.clock import Clock
    from pipelines.training.search.journal import Journal

    Array = np.ndarray[Any, Any]
    Folds = list[tuple[Array, Array]]
    Watch = Callable[[int, float], bool]
    """Is told the fold (from 0) and the mean so far; true ends the trial."""

State = Literal["complete", "pruned", "failed", "unfinished"]


@dataclass(frozen=True)
class Trial:
    """One setting as it was tried.

    `scores` are those of the folds that were run, in the metric's own unit; `share` is the share of
    each fold's rows that was learnt from. Only a complete trial on all rows can win.
    """

    number: int
    params: dict[str, Any]
    scores: list[float]
    seconds: float
    """Of one fit."""
    state: State
    reason: str = ""
    """Why it failed, or was given up."""
    share: float = 1.0

    @property
    def mean(self) -> float:
        """The mean of the scores; NaN where there is none."""
        return float(np.mean(self.scores)) if self.scores else float("nan")

    @property
    def spread(self) -> float:
        """The standard deviation of the scores over the folds; NaN where there is none."""
        return float(np.std(self.scores)) if self.scores else float("nan")

    @property
    def can_win(self) -> bool:
        """Whether its score counts."""
        return self.state == "complete" and self.share == 1 and bool(np.isfinite(self.mean))


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
        if self.candidate.early_stopping is None:
            return fit_pipeline(*given, self.log, messages, weights=weights), None
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


class Trials:
    """The trials of one search, as they come to be."""

    def __init__(self, ground: Ground, journal: Journal, clock: Clock, planned: int) -> None:
        """Begin without any; `planned` are those that the log announces."""
        self.ground, self.planned = ground, planned
        self.tried: list[Trial] = []
        self.first_error: BadData | None = None
        self.best: Trial | None = None
        self.best_setting: dict[str, Any] = {}
        self.answers: list[Array] = []
        """The answers of the best trial to each fold's rows; empty where an earlier process had
        them."""
        self._journal, self._clock = journal, clock
        self._messages: set[str] = set()
        self._fits = 0

    def run(self, setting: dict[str, Any], share: float = 1.0, watch: Watch | None = None) -> Trial:
        """Try a setting and return what came of it. Raises TimeIsUp where the minutes are over."""
        params, state, reason = plain(setting), "complete", ""
        runs: list[FoldRun] = []
        given: list[Array] = []
        for fold in range(len(self.ground.folds)):
            try:
                known = self._journal.find(params, share, fold)
                run = known or self._fit(setting, share, fold, given)
            except TimeIsUp:
                self._keep(params, runs, "unfinished", "the minutes of the budget were over", share)
                raise
            if known is None and not run.reason:
                self._journal.add(params, share, fold, run)
            if run.reason:
                state, reason = "failed", run.reason
                break
            runs.append(run)
            mean = float(np.mean([r.score for r in runs]))
            last = fold == len(self.ground.folds) - 1
            if watch and not last and watch(fold, mean):
                state = "pruned"
                reason = f"after {fold + 1} of {len(self.ground.folds)} folds worse than most"
                break
        trial = self._keep(params, runs, state, reason, share)
        if trial.can_win and (self.best is None or self.gain(trial) > self.gain(self.best)):
            self.best, self.best_setting = trial, setting
            self.answers = given if len(given) == len(self.ground.folds) else []
        self._announce(trial)
        return trial

    def gain(self, trial: Trial) -> float:
        """Return the trial's mean so that more is better."""
        spec = self.ground.spec
        return float(better_by(spec.metric_named(spec.train.metric), trial.mean, 0.0))

    def answer(self, setting: dict[str, Any], fold: int) -> Array:
        """Return a setting's answers to a fold, fitted once more."""
        return self._model_and_score(setting, 1.0, fold)[1]

    def _fit(self, setting: dict[str, Any], share: float, fold: int, given: list[Array]) -> FoldRun:
        began = time.perf_counter()
        try:
            with self._clock.limit():
                value, answered = self._model_and_score(setting, share, fold)
        except BadData as error:
            self.first_error = self.first_error or error
            return FoldRun(float("nan"), time.perf_counter() - began, error.message)
        seconds = time.perf_counter() - began
        metric, name = self.ground.spec.train.metric, self.ground.candidate.name
        if not np.isfinite(value):
            where = f"fold {fold + 1} of {len(self.ground.folds)}"
            return FoldRun(value, seconds, f"{metric} is not finite in {where}")
        given.append(answered)
        self._fits += 1
        rows = len(self.ground.newest(self.ground.folds[fold][0], share))
        self.ground.log.info(
            "%s: fit %d on %d rows: %s %.4f", name, self._fits, rows, metric, value
        )
        return FoldRun(value, seconds)

    def _model_and_score(
        self, setting: dict[str, Any], share: float, fold: int
    ) -> tuple[float, Array]:
        ground = self.ground
        train, test = ground.folds[fold]
        train = ground.newest(train, share)
        model, _ = ground.fit(setting, train, self._messages)
        return ground.score(model, test)

    def _keep(
        self, params: dict[str, Any], runs: list[FoldRun], state: str, reason: str, share: float
    ) -> Trial:
        trial = Trial(
            number=len(self.tried),
            params=params,
            scores=[run.score for run in runs],
            seconds=float(np.mean([run.seconds for run in runs])) if runs else 0.0,
            state=state,  # type: ignore[arg-type]
            reason=reason,
            share=share,
        )
        self.tried.append(trial)
        return trial

    def _announce(self, trial: Trial) -> None:
        """Log how far the search is: nothing for a candidate without one."""
        if self.planned < 2:  # noqa: PLR2004 -- one trial is no search
            return
        done = len(self.tried)
        left = self._clock.spent / done * max(self.planned - done, 0)
        best = f"{self.best.mean:.4f}" if self.best else "none yet"
        self.ground.log.info(
            "%s: trial %d of %d %s%s, best so far %s, about %.0f s to go",
            self.ground.candidate.name,
            done,
            self.planned,
            trial.state,
            f" ({trial.reason})" if trial.reason else f" with {trial.mean:.4f}",
            best,
            left,
        )
