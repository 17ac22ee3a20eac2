"""Settings, tried on the folds: their scores, and the answers of the best so far."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData
from pipelines.science.metrics import better_by
from pipelines.training.search.clock import TimeIsUp
from pipelines.training.search.journal import FoldRun
from pipelines.training.search.outcome import Outcome, Trial, why_failed
from pipelines.training.search.space import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipelines.training.search.board import Board
    from pipelines.training.search.clock import Clock
    from pipelines.training.search.ground import Ground
    from pipelines.training.search.journal import Journal

    Array = np.ndarray[Any, Any]
    Watch = Callable[[int, float], bool]
    """Is told the fold (from 0) and the mean so far; true ends the trial."""

OVER = "the minutes of the budget were over"


@dataclass(frozen=True)
class Try:
    """A setting to try; `share` is the share of each fold's rows that is learnt from."""

    setting: dict[str, Any]
    share: float = 1.0
    watch: Watch | None = None
    """May give it up after a fold."""


class Trials:
    """The trials of one search, as they come to be.

    With a `board` they are shared with other workers, each of which comes to the same ones.
    """

    def __init__(
        self, ground: Ground, journal: Journal, clock: Clock, planned: int, board: Board | None
    ) -> None:
        """Begin without any; `planned` are those that the log announces."""
        self.ground, self.planned = ground, planned
        self.tried: list[Trial] = []
        self.first_error: BadData | None = None
        self.best: Trial | None = None
        self.best_setting: dict[str, Any] = {}
        self.answers: list[Array] = []
        """The answers of the best trial to each fold's rows; empty where another process had
        them."""
        self._journal, self._clock, self._board = journal, clock, board
        self._worker = board.worker if board else 0
        self._messages: set[str] = set()
        self._fits = 0
        self._given: dict[int, list[Array]] = {}
        """The answers of the trials that were fitted here, by their numbers."""
        self._cut_off: dict[int, Outcome] = {}

    def run(self, tries: Sequence[Try]) -> list[Trial]:
        """Try settings of which none depends on another; return what came of each, in order.

        Raises TimeIsUp where the minutes are over: what was finished until then counts.
        """
        first = len(self.tried)
        numbered = dict(enumerate(tries, start=first))
        outcomes: dict[int, Outcome] = {}
        try:
            for number, outcome in self._outcomes(numbered):
                outcomes[number] = outcome
                while len(self.tried) in outcomes:
                    self._take(numbered[len(self.tried)], outcomes[len(self.tried)])
        except TimeIsUp:
            outcomes |= self._cut_off
            for number in range(len(self.tried), max(outcomes, default=-1) + 1):
                nothing = Outcome(worker=self._worker, state="unfinished", reason=OVER)
                self._take(numbered[number], outcomes.get(number, nothing))
            raise
        return self.tried[first:]

    def _outcomes(self, numbered: Mapping[int, Try]) -> Iterator[tuple[int, Outcome]]:
        """Yield what comes of the tries, in any order."""
        if self._board is None:
            for number, one in numbered.items():
                yield number, self._attempt(number, one)
            return
        settings = {n: (plain(one.setting), one.share) for n, one in numbered.items()}

        def attempt(number: int) -> Outcome:
            return self._attempt(number, numbered[number])

        for number, outcome, is_ours in self._board.spread(settings, attempt):
            if not is_ours:
                self._given.pop(number, None)
                self._tell(numbered[number], outcome)
            yield number, outcome

    def _attempt(self, number: int, one: Try) -> Outcome:
        """Try a setting here. Raises TimeIsUp where the minutes are over."""
        params, state, reason = plain(one.setting), "complete", ""
        runs: list[FoldRun] = []
        error: BadData | None = None
        given = self._given[number] = []
        folds = len(self.ground.folds)
        for fold in range(folds):
            known = self._journal.find(params, one.share, fold)
            try:
                run = known or self._fit(one, fold, given)
            except TimeIsUp:
                self._cut_off = {number: self._outcome(runs, "unfinished", OVER)}
                raise
            except BadData as failure:
                state, reason, error = "failed", failure.message, failure
                break
            if not np.isfinite(run.score):
                metric = self.ground.spec.train.metric
                where = f"fold {fold + 1} of {folds}"
                state, reason = "failed", f"{metric} is not finite in {where}"
                break
            if known is None:
                self._journal.add(params, one.share, fold, run)
            runs.append(run)
            if one.watch and fold < folds - 1 and one.watch(fold, _mean(runs)):
                state = "pruned"
                reason = f"after {fold + 1} of {folds} folds worse than most"
                break
        return self._outcome(runs, state, reason, error)

    def _outcome(
        self, runs: list[FoldRun], state: str, reason: str, error: BadData | None = None
    ) -> Outcome:
        return Outcome(
            worker=self._worker,
            scores=[run.score for run in runs],
            seconds=[run.seconds for run in runs],
            state=state,
            reason=reason,
            error=why_failed(error) if error else None,
        )

    def _tell(self, one: Try, outcome: Outcome) -> None:
        """Let whoever watches know what another worker's trial scored."""
        if one.watch is None:
            return
        for fold in range(min(len(outcome.scores), len(self.ground.folds) - 1)):
            one.watch(fold, float(np.mean(outcome.scores[: fold + 1])))

    def _take(self, one: Try, outcome: Outcome) -> None:
        """Let the next trial count."""
        number = len(self.tried)
        trial = outcome.trial(number, plain(one.setting), one.share)
        self.tried.append(trial)
        given = self._given.pop(number, [])
        if outcome.error:
            self.first_error = self.first_error or outcome.error.as_error()
        if trial.can_win and (self.best is None or self.gain(trial) > self.gain(self.best)):
            self.best, self.best_setting = trial, one.setting
            self.answers = given if len(given) == len(self.ground.folds) else []
        if trial.state != "unfinished":
            self._announce(trial)

    @property
    def own(self) -> int:
        """How many of the trials were fitted by this worker."""
        return sum(trial.worker == self._worker for trial in self.tried)

    def gain(self, trial: Trial) -> float:
        """Return the trial's mean so that more is better."""
        spec = self.ground.spec
        return float(better_by(spec.metric_named(spec.train.metric), trial.mean, 0.0))

    def answer(self, setting: dict[str, Any], fold: int) -> Array:
        """Return a setting's answers to a fold, fitted once more."""
        return self._model_and_score(setting, 1.0, fold)[1]

    def _fit(self, one: Try, fold: int, given: list[Array]) -> FoldRun:
        """Fit a setting on a fold. Raises BadData where it cannot be, TimeIsUp."""
        began = time.perf_counter()
        with self._clock.limit():
            value, answered = self._model_and_score(one.setting, one.share, fold)
        seconds = time.perf_counter() - began
        given.append(answered)
        if np.isfinite(value):
            self._fits += 1
            rows = len(self.ground.newest(self.ground.folds[fold][0], one.share))
            metric, name = self.ground.spec.train.metric, self.ground.candidate.name
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


def _mean(runs: list[FoldRun]) -> float:
    return float(np.mean([run.score for run in runs]))
