"""What a spec says of the gate's further checks, each of which is optional."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.spec.expressions import LONGEST, Expression, judge_expression
from pipelines.spec.sources import Identifier
from pipelines.tasks import answers_scores, classifies, learns_nothing, with_article

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from pipelines.tasks import Task

Confidence = Annotated[float, Field(gt=0.5, lt=1, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Aspect = Literal["selection_rate", "equal_opportunity", "equalised_odds"]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]


class SliceOf(Value):
    """Slices of the held-out rows: exactly one of the three."""

    column: Identifier | None = None
    """Each value of this column, or quarters of its numbers; `build` must return it."""
    where: Condition | None = None
    """The rows for which an expression of SQL holds, such as `age < 30`."""
    found: Literal[True] | None = None
    """What a small tree finds on one half of the days, judged on the other."""

    @field_validator("where")
    @classmethod
    def _check_where(cls, text: str | None) -> str | None:
        if text is not None:
            judge_expression(text)
        return text

    @model_validator(mode="after")
    def _choose_one(self) -> Self:
        if sum(each is not None for each in (self.column, self.where, self.found)) != 1:
            msg = 'write one of `column: NAME`, `where: "CONDITION"` and `found: true`'
            raise ValueError(msg)
        return self

    @property
    def condition(self) -> Expression | None:
        """The judged expression of `where`."""
        return judge_expression(self.where) if self.where is not None else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        if self.column is not None:
            return (self.column,)
        return self.condition.columns if self.condition else ()


class Slices(Value):
    """Slices of the held-out rows in which the challenger must not be proven worse than its
    opponent.
    """

    by: Annotated[list[SliceOf], Field(min_length=1, max_length=20)]
    """Which slices: by `column`, by `where`, or `found: true`."""
    metric: str | None = None
    """In which metric; default that of `versus_champion`."""
    worse_by: Share = 0.05
    """The share of the opponent's value in the slice by which it may be worse."""
    confidence: Confidence = 0.95
    """How sure it must be that a slice is broken, of all slices together."""
    min_rows: Annotated[int, Field(ge=30)] = 100
    """A slice of fewer rows is not judged."""
    min_pieces: Annotated[int, Field(ge=5)] = 10
    """A slice with fewer independent days (or what `alike` says) is not judged."""


class Leak(Value):
    """What is too good to be true: an input that alone nearly decides the target."""

    alone: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.9
    """The skill (2 AUC - 1, or R squared of ranks) from which one column alone says too much."""
    expected: Annotated[list[Identifier], Field(max_length=200)] = Field(default_factory=list)
    """Inputs that say so much, and were known before the event."""


class Fairness(Value):
    """How differently the challenger may decide for groups; at least one of the three."""

    by: Identifier
    """The column of the groups; it need be no input, and `build` must return it."""
    selection_rate: Share | None = None
    """By how much the share of rows that are decided positive may differ between two groups."""
    equal_opportunity: Share | None = None
    """By how much the share of positive rows that are decided so may differ."""
    equalised_odds: Share | None = None
    """By how much that share, and the one of other rows that are decided positive, may differ."""
    confidence: Confidence = 0.95
    """How sure it must be that one differs by more, of all pairs of groups together."""
    min_rows: Annotated[int, Field(ge=30)] = 100
    """A group of fewer rows that count is not compared."""
    min_pieces: Annotated[int, Field(ge=5)] = 10
    """A group whose rows are of fewer days (or what `alike` says) is not compared."""

    @model_validator(mode="after")
    def _bound_one(self) -> Self:
        if not self.limits:
            msg = "bound at least one of selection_rate, equal_opportunity and equalised_odds"
            raise ValueError(msg)
        return self

    @property
    def limits(self) -> dict[Aspect, float]:
        """What is bounded, and by how much."""
        found: dict[Aspect, float | None] = {
            "selection_rate": self.selection_rate,
            "equal_opportunity": self.equal_opportunity,
            "equalised_odds": self.equalised_odds,
        }
        return {aspect: limit for aspect, limit in found.items() if limit is not None}


def fairness_problems(fairness: Fairness | None, task: Task) -> list[Problem]:
    """Return what is wrong with fairness beside the task."""
    if fairness is None or task == "binary":
        return []
    why = f"{with_article(task)} decides for no positive class, only a binary one; remove it"
    return [Problem(("gate", "fairness"), why)]


class Baselines(Value):
    """Whom the challenger must beat besides its opponent, and by how much; at least one of both."""

    dummy: Share | None = None
    """The share of the best constant's value by which it must be proven better."""
    linear: Share | None = None
    """The share of a linear model's value, fitted on the same rows, by which it must be better."""

    @model_validator(mode="after")
    def _name_one(self) -> Self:
        if self.dummy is None and self.linear is None:
            msg = "name `dummy: 0.1` or `linear: 0.02`, or both"
            raise ValueError(msg)
        return self

    @property
    def margins(self) -> dict[str, float]:
        """Each baseline that is asked for, with its margin."""
        found = {"dummy": self.dummy, "linear": self.linear}
        return {name: margin for name, margin in found.items() if margin is not None}


def baseline_problems(baselines: Baselines | None, task: Task) -> list[Problem]:
    """Return what is wrong with baselines beside the task."""
    if baselines is None:
        return []
    if learns_nothing(task):
        why = f"{with_article(task)} learns no target, which a baseline would; remove it"
        return [Problem(("gate", "baselines"), why)]
    if baselines.linear is not None and task == "quantiles":
        why = f"{with_article(task)} has no linear baseline; name a linear candidate instead"
        return [Problem(("gate", "baselines", "linear"), why)]
    return []


Loss = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
Disturbance = Literal["noise", "missing", "unseen", "scaled", "swapped"]


class Robustness(Value):
    """By which share of its value in the metric the challenger may lose where one input is
    disturbed; at least one of the five. Beside `noise`, one row in ten is disturbed.
    """

    noise: Loss | None = None
    """A number with noise of a tenth of its standard deviation, in all rows."""
    missing: Loss | None = None
    """A value that is missing."""
    unseen: Loss | None = None
    """A text that no row has."""
    scaled: Loss | None = None
    """A number in another unit: a thousand times as much."""
    swapped: Loss | None = None
    """Two neighbouring numbers in each other's place."""
    metric: str | None = None
    """In which metric; default that of `versus_champion`."""

    @model_validator(mode="after")
    def _bound_one(self) -> Self:
        if not self.limits:
            msg = "bound at least one of noise, missing, unseen, scaled and swapped"
            raise ValueError(msg)
        return self

    @property
    def limits(self) -> dict[Disturbance, float]:
        """What is bounded, and by how much."""
        found: dict[Disturbance, float | None] = {
            "noise": self.noise,
            "missing": self.missing,
            "unseen": self.unseen,
            "scaled": self.scaled,
            "swapped": self.swapped,
        }
        return {kind: limit for kind, limit in found.items() if limit is not None}


def robustness_problems(robustness: Robustness | None, task: Task) -> list[Problem]:
    """Return what is wrong with robustness beside the task."""
    if robustness is None or not learns_nothing(task):
        return []
    why = f"{with_article(task)} learns no target that it could miss; remove it"
    return [Problem(("gate", "robustness"), why)]


class Flips(Value):
    """How many decisions would change if the challenger took the champion's place."""

    most: Share | None = None
    """The share of the held-out rows that may be decided otherwise; without it it is only told."""
    by: Annotated[list[SliceOf], Field(max_length=20)] = Field(default_factory=list)
    """Slices, by `column` or `where`, in which the share is told too."""
    examples: Annotated[int, Field(ge=0, le=20)] = 5
    """So many rows that are decided otherwise are shown, those that change most."""


def flips_problems(flips: Flips | None, task: Task) -> list[Problem]:
    """Return what is wrong with a preview of decisions beside the task."""
    if flips is None:
        return []
    if not classifies(task):
        why = f"{with_article(task)} decides for no class; remove it"
        return [Problem(("gate", "flips"), why)]
    return [
        Problem(("gate", "flips", "by", place, "found"), "name a column or a condition instead")
        for place, each in enumerate(flips.by)
        if each.found
    ]


def leak_problems(leak: Leak | None, task: str, inputs: Sequence[str]) -> list[Problem]:
    """Return what is wrong with a check of leaks beside task and inputs."""
    if leak is None:
        return []
    if learns_nothing(task):
        why = f"{with_article(task)} learns no target that could leak; remove it"
        return [Problem(("gate", "leak"), why)]
    return [
        Problem(("gate", "leak", "expected", place), f"{name!r} is no input; remove it")
        for place, name in enumerate(leak.expected)
        if name not in inputs
    ]


def slices_problems(slices: Slices | None, task: Task) -> list[Problem]:
    """Return what is wrong with slices beside the task."""
    if slices is None:
        return []
    if learns_nothing(task) and not answers_scores(task):
        return [Problem(("gate", "slices"), f"{with_article(task)} has no errors; remove it")]
    places = [i for i, each in enumerate(slices.by) if each.found]
    faults = [
        Problem(("gate", "slices", "by", place, "found"), "stands twice; remove one")
        for place in places[1:]
    ]
    if places and answers_scores(task):
        why = f"{with_article(task)} has no error of each row; name columns instead"
        faults.append(Problem(("gate", "slices", "by", places[0], "found"), why))
    return faults
