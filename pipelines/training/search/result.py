"""What a search found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pipelines.training.search.outcome import Trial

    Array = np.ndarray[Any, Any]

Ending = Literal["trials", "minutes"]
"""What ended a search."""


@dataclass(frozen=True)
class OutOfFold:
    """The answers of the winning setting to rows that its fits had not seen.

    `positions` (m,) are those of the rows learnt from, by fold and each as often as it judged;
    `answers` are (m,) probabilities of 1 or values, or (m, k) by class; `folds` (m,) the fold.
    """

    positions: Array
    answers: Array
    folds: Array


@dataclass(frozen=True)
class SearchResult:
    """What the search found.

    The estimator's parameters, its score in the metric's own unit, and every setting tried.
    """

    params: dict[str, Any]
    score: float | None
    spread: float | None
    """The standard deviation of the score over the folds."""
    fold_scores: list[float] = field(default_factory=list)
    """The winning setting's scores, fold by fold."""
    tested: float | None = None
    """How many rows of a snapshot judge for each that is learnt from; in time 0."""
    setting: dict[str, Any] = field(default_factory=dict)
    """What the search chose, by the spec's names, with what early stopping found."""
    trials: list[Trial] = field(default_factory=list)
    ended_by: Ending = "trials"
    """Whether all trials were run, or the minutes of the budget were over before."""
    out_of_fold: OutOfFold | None = None

    @property
    def settings(self) -> list[dict[str, Any]]:
        """One row per trial: its parameters, `score`, `spread`, `seconds` (of one fit), `state`,
        `reason`, `share`.
        """
        return [
            {
                **trial.params,
                "score": trial.mean,
                "spread": trial.spread,
                "seconds": trial.seconds,
                "state": trial.state,
                "reason": trial.reason,
                "share": trial.share,
            }
            for trial in self.trials
        ]


def in_words(trials: Sequence[Trial], ended_by: Ending, planned: int) -> str:
    """Return in a sentence what came of the trials; empty where all is as it should be."""
    parts = []
    if ended_by == "minutes":
        done = sum(trial.state == "complete" for trial in trials)
        parts.append(
            f"the minutes of the budget ended the search: {done} of {planned} trials are complete,"
            " and another machine may end elsewhere"
        )
    failed = [trial for trial in trials if trial.state == "failed"]
    if failed:
        reasons = {trial.reason: sum(t.reason == trial.reason for t in failed) for trial in failed}
        parts.append(
            f"{len(failed)} of {len(trials)} trials failed: "
            + "; ".join(f"{reason} ({count})" for reason, count in reasons.items())
        )
    return ". ".join(parts)
