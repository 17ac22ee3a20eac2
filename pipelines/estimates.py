"""What a drift step says of a model's metric before labels are known, and how it came out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pipelines.intervals import Interval
from pipelines.refs import Ref, Value

Words = Annotated[str, StringConstraints(max_length=300)]


class ScoredEstimate(Value):
    """An earlier window's estimate beside the truth, measured on `rows` labelled rows."""

    window: Interval
    value: float
    low: float
    high: float
    confidence: float
    truth: float
    rows: int


class WindowEstimate(Value):
    """What the champion's `metric` is expected to be on a window's rows, between `low` and `high`.

    It decides nothing. Where nothing can be said, `untold` says why; where the estimates of the
    model are switched off, `switched_off` does; the numbers are null then. `plan` is the one by
    which the rows are found again, and `scored` are the earlier estimates, and this one, whose
    truth became known since the last check.
    """

    method: Literal["confidence", "weighting"]
    metric: str
    rows: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    untold: Words = ""
    switched_off: Words = ""
    plan: Ref
    scored: list[ScoredEstimate] = Field(default_factory=list)
