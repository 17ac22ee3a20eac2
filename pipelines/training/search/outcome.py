"""One setting as it was tried, and what a worker tells the others of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from pipelines.errors import BadData
from pipelines.refs import Value

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
    worker: int = 0
    """Who fitted it: 0 is the training itself, the others help it."""

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


class Failure(Value):
    """Why a setting could not be fitted, as an error says it."""

    message: str
    remedy: str = ""
    at: list[str | int] = Field(default_factory=list)

    def as_error(self) -> BadData:
        """Return it as the error that it was."""
        return BadData(self.message, remedy=self.remedy, at=tuple(self.at))


def why_failed(error: BadData) -> Failure:
    """Return what an error says."""
    return Failure(message=error.message, remedy=error.remedy, at=list(error.at))


class Outcome(Value):
    """What came of a trial, as one worker tells the others; `scores` and `seconds` by fold."""

    worker: int
    scores: list[float] = Field(default_factory=list)
    seconds: list[float] = Field(default_factory=list)
    state: State
    reason: str = ""
    error: Failure | None = None

    def trial(self, number: int, params: dict[str, Any], share: float) -> Trial:
        """Return the trial that it is the outcome of."""
        return Trial(
            number=number,
            params=params,
            scores=list(self.scores),
            seconds=float(np.mean(self.seconds)) if self.seconds else 0.0,
            state=self.state,
            reason=self.reason,
            share=share,
            worker=self.worker,
        )
