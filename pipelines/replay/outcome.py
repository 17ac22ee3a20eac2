"""What a replay came to: by policy and batch, the same for the same past; seconds stand apart."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.intervals import Interval, Moment
from pipelines.refs import Value
from pipelines.replay.judging import GateName


class BatchOfPolicy(Value):
    """What a policy did before a batch, and what served it.

    `score` is the live metric of the version that served, null where the batch was not scored;
    `regret` by how much the best version that could have served is better. `verdict` is that of the
    look at the window before, empty where nobody looked. `why` says why it was retrained or was
    not, `refused` why the challenger did not serve, `failed` why there was none.
    """

    batch: str
    served: Moment
    score: float | None
    regret: float | None
    retrained: bool = False
    refused: str = ""
    failed: str = ""
    verdict: str = ""
    alarm: bool = False
    why: str = ""


class PolicyOutcome(Value):
    """One policy: its batches, and what they come to.

    `mean` is of the scored batches, `regret` the mean of theirs. `in_hindsight` is the mean of the
    best schedule with as many retrainings, known afterwards. `alarms` is None where the policy
    looked at no window: nobody knows how many there were.
    """

    name: str
    gate: GateName
    own: bool
    retrainings: int
    refusals: int
    failures: int
    alarms: int | None
    mean: float | None
    regret: float | None
    in_hindsight: float | None
    batches: list[BatchOfPolicy]


class Interval95(Value):
    """By how much more one policy loses per batch than another, with the interval's ends.

    Null where that cannot be told; `untold` says why.
    """

    mean: float | None
    low: float | None
    high: float | None
    untold: str = ""


class Advice(Value):
    """Which policy to take; `name` is empty where that cannot be told, and `why` says it.

    `over_best` is what it loses more than the best one, `against_own` more than the model's own.
    `margin` is what still counts as hardly more.
    """

    name: str
    why: str
    best: str
    margin: float
    over_best: Interval95 | None = None
    against_own: Interval95 | None = None


class PassedOver(Value):
    """A batch that nobody was scored on, and why."""

    batch: str
    why: str


class ReplayOutcome(Value):
    """A past lived through under several policies."""

    format: Literal[1] = 1
    model: str
    metric: str
    unit: str
    greater_is_better: bool
    start: Moment
    end: Moment
    intervals: list[Interval]
    policies: list[PolicyOutcome]
    best: list[float | None]
    """By batch, the score of the best version that could have served."""
    passed_over: list[PassedOver] = Field(default_factory=list)
    advice: Advice


class Costs(Value):
    """Seconds of computing, as they were measured when each thing was computed.

    `by_policy` is of what each asked for, batch by batch, `together` of all.
    """

    by_policy: dict[str, list[float]]
    together: float
