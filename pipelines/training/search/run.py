"""Search a candidate's settings over folds in time.

A candidate without a search is scored on the same folds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData
from pipelines.spec.search import rounds_of
from pipelines.training.folds import usable_folds
from pipelines.training.parameters import ESTIMATOR
from pipelines.training.search.clock import Clock, TimeIsUp
from pipelines.training.search.halving import halve
from pipelines.training.search.journal import Journal
from pipelines.training.search.result import OutOfFold, SearchResult, in_words
from pipelines.training.search.space import plain, settings_of, space_of
from pipelines.training.search.study import study
from pipelines.training.search.trials import Trials, Try

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.training.search.board import Board
    from pipelines.training.search.ground import Ground
    from pipelines.training.search.result import Ending

    Array = np.ndarray[Any, Any]

JOURNAL = "trials.jsonl"


def search(
    ground: Ground, *, folder: Path | None = None, board: Board | None = None
) -> SearchResult:
    """Return the best setting by train.metric, by its mean over the folds; the first of equals.

    With a `folder` the search is resumed where a killed process has left it there; with a `board`
    also what other workers have fitted is not fitted again. Raises SpecError or BadData; a setting
    that fails is a failed trial, and an error only where all fail.
    """
    return _result(*try_settings(ground, folder=folder, board=board))


def try_settings(
    ground: Ground, *, folder: Path | None = None, board: Board | None = None
) -> tuple[Trials, Ending]:
    """Return what came of the settings that the candidate's method proposes, and what ended it."""
    candidate, spec = ground.candidate, ground.spec
    usable = usable_folds(ground.folds, ground.y, spec, ground.log, ground.measures)
    journal = Journal(folder / JOURNAL if folder else None)
    clock = Clock(candidate.limits.minutes)
    clock.earlier = journal.seconds
    if board is not None and candidate.limits.minutes is not None:
        clock.earlier = max(clock.earlier, board.seconds)
    space = space_of(candidate, ground.pipeline)
    limit = candidate.limits.trials
    trials = Trials(replace(ground, folds=usable), journal, clock, limit, board)
    ended_by: Ending = "trials"
    try:
        if candidate.method == "optuna":
            study(trials, space, limit, spec.train.seed)
        else:
            settings = settings_of(space, limit, spec.train.seed, candidate.method)
            trials.planned = len(settings)
            if candidate.method == "halving":
                halve(trials, settings)
            else:
                trials.run([Try(setting) for setting in settings])
    except TimeIsUp:
        ended_by = "minutes"
    return trials, ended_by


def _result(trials: Trials, ended_by: Ending) -> SearchResult:
    """Return the best of what was tried. Raises BadData where nothing could be fitted."""
    ground, best = trials.ground, trials.best
    candidate = ground.candidate
    said = in_words(trials.tried, ended_by, trials.planned)
    if said:
        ground.log.warning("%s: %s", candidate.name, said)
    if best is None:
        if ended_by == "minutes":
            raise BadData(
                f"candidates.{candidate.name}: no trial was complete within"
                f" {candidate.limits.minutes:g} minutes.",
                remedy="raise budget.minutes, take fewer rows, or search smaller models.",
                at=("candidates", candidate.name, "budget"),
            )
        if trials.first_error is not None:
            raise trials.first_error
        first = {name: trials.tried[0].params[name] for name in candidate.search}
        params = {**candidate.params, **first}
        return SearchResult(params=params, score=None, spread=None, trials=trials.tried)
    # What an earlier process answered is gone with it: the winner is fitted on the folds again.
    given = trials.answers or [
        trials.answer(trials.best_setting, fold) for fold in range(len(ground.folds))
    ]
    tests = [test for _, test in ground.folds]
    setting = {**trials.best_setting, **_rounds(ground, trials.best_setting)}
    return SearchResult(
        params={**candidate.params, **plain(setting)},
        score=best.mean,
        spread=best.spread,
        fold_scores=best.scores,
        tested=_test_share(ground),
        setting=setting,
        trials=trials.tried,
        ended_by=ended_by,
        out_of_fold=_out_of_fold(tests, given),
    )


def _test_share(ground: Ground) -> float:
    """Return how many rows of a snapshot judge for each that is learnt from.

    Of windows in time 0: each row judges once at most, and the correction by which shared rows
    widen the error made the choice cling to the simple one (benchmarks/choice.py).
    """
    if not ground.spec.is_snapshot:
        return 0.0
    learnt, judged = (sum(len(fold[side]) for fold in ground.folds) for side in (0, 1))
    return judged / learnt


def _rounds(ground: Ground, setting: dict[str, Any]) -> dict[str, Any]:
    """Return the number of rounds that early stopping finds on all rows, by its parameter.

    The final fit then has that many, and an estimator that would stop by itself must not.
    """
    parameter = rounds_of(ground.candidate.estimator)
    if ground.candidate.early_stopping is None or parameter is None:
        return {}
    _, rounds = ground.fit(setting, np.arange(len(ground.y)))
    if rounds is None:
        return {}
    ground.log.info("%s: early stopping found %s = %d", ground.candidate.name, parameter, rounds)
    own = "early_stopping" in ground.pipeline.named_steps[ESTIMATOR].get_params()
    return {parameter: rounds, **({"early_stopping": False} if own else {})}


def _out_of_fold(tests: list[Array], given: list[Array]) -> OutOfFold:
    """Return the answers of all folds as one; a class that a fold never saw has probability 0."""
    if given[0].ndim > 1:
        width = max(answers.shape[1] for answers in given)
        given = [np.pad(a, ((0, 0), (0, width - a.shape[1]))) for a in given]
    return OutOfFold(
        positions=np.concatenate(tests),
        answers=np.concatenate(given),
        folds=np.repeat(np.arange(len(tests)), [len(test) for test in tests]),
    )
