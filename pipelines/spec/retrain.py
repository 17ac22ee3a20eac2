"""What a spec says of retraining: what starts one, how often at most, and when never.

It is the policy of a model that is watched. The step `decide` asks it of every window, and a replay
asks it of the past. `train.schedule` is a clock beside it, which asks nobody.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.spec.drift import Cron, Drift
from pipelines.spec.rule_problems import why_no_renewal
from pipelines.spec.table_options import Zone
from pipelines.spec.units import Duration, parse_duration
from pipelines.tasks import Task, finds_classes, with_article

if TYPE_CHECKING:
    from pipelines.spec.train import Train

By = Literal["never", "schedule", "change", "performance", "value"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
PERIODS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
"""How long a budget looks back."""

_BUDGET = re.compile(r"^(\d{1,4}) per (day|week|month)$")
_MIDNIGHT = "24:00"
OF_SCHEDULE = ("schedule",)
OF_VALUE = ("cost", "gain", "pays_within")


SOME_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
LOOKS = 200
"""So many looks by a schedule tell whether it looks in quiet hours only."""


def next_strike(schedule: Cron, after: datetime) -> datetime:
    """Return when a schedule strikes next after a moment (aware), in UTC."""
    from croniter import croniter

    text = schedule if " " in schedule else f"@{schedule.removeprefix('@')}"
    struck: datetime = croniter(text, after.astimezone(UTC), ret_type=datetime).get_next()
    return struck


class Budget(Value):
    """So many retrainings in any span of time of this length; a month is 30 days."""

    count: Annotated[int, Field(ge=1, le=9999)]
    per: Literal["day", "week", "month"]

    @property
    def period(self) -> timedelta:
        """The length of the span."""
        return PERIODS[self.per]

    def __str__(self) -> str:
        """Return it as it is written in a spec."""
        return f"{self.count} per {self.per}"


def parse_budget(value: object) -> object:
    """Return the budget that a text such as `2 per week` names."""
    if isinstance(value, Budget):
        return value
    match = _BUDGET.match(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        msg = "write a number from 1 on and a span of time: `2 per week`, `1 per day`"
        raise ValueError(msg)
    return Budget.model_validate({"count": int(match[1]), "per": match[2]})


AtMost = Annotated[
    Budget,
    BeforeValidator(parse_budget),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2 per week", "1 per day"]}),
]


def _written_clock(value: object) -> object:
    if isinstance(value, str):
        return value
    msg = 'write hours and minutes in quotes, such as "22:00"'
    raise ValueError(msg)


Clock = Annotated[
    str,
    StringConstraints(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"),
    BeforeValidator(_written_clock),
]
"""A time of day; `24:00` is the end of it."""


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


class QuietHours(Value):
    """Hours in which no window starts a retraining, on the days on which they begin.

    Those that end no later than they begin go on into the next day.
    """

    start: Clock = "00:00"
    """When they begin."""
    end: Clock = _MIDNIGHT
    """When they end, exclusive."""
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = DAYS
    """The days on which they begin."""
    timezone: Zone = "UTC"
    """The zone in which days and hours are meant."""

    def hold(self, moment: datetime) -> bool:
        """Tell whether a moment (aware) lies in them."""
        from zoneinfo import ZoneInfo

        local = moment.astimezone(ZoneInfo(self.timezone))
        minute, start, end = (
            local.hour * 60 + local.minute,
            _minutes(self.start),
            _minutes(self.end),
        )
        today, before = DAYS[local.weekday()], DAYS[local.weekday() - 1]
        if start < end:
            return today in self.days and start <= minute < end
        return (today in self.days and minute >= start) or (before in self.days and minute < end)

    def __str__(self) -> str:
        """Return them as one says them: `22:00 to 06:00 (sat, sun), Europe/Berlin`."""
        days = "" if set(self.days) == set(DAYS) else f" ({', '.join(self.days)})"
        return f"{self.start} to {self.end}{days}, {self.timezone}"


class Retrain(Value):
    """The policy: which windows start a retraining, and what holds one back.

    Whatever it says, a window in which something is broken starts none, a window starts one at
    most, and while one is under way no other one starts. People and `train.schedule` start theirs
    beside it.
    """

    by: By = "change"
    """What starts one. `change`: a window that has drifted. `performance`: one on which the
    champion does worse than it promised. `value`: one on which a fit of the champion's recipe on
    newer rows gains more than a retraining costs. `schedule`: one in which the clock is due.
    `never`: none.
    """
    schedule: Cron | None = None
    """Of `schedule`: a window is due where the clock has struck since the newest rows that a
    retraining learnt from, and by the window's end. `monthly`, or five cron fields, in UTC.
    """
    cooldown: Duration | None = None
    """How far the end of a window must lie after that of the last one that started a retraining.

    Default: `drift.cooldown`, the older place to say it; else three batches, and 7d at least.
    """
    at_most: AtMost | None = None
    """How many start in any span of time at most: `2 per week`."""
    stop_after_refused: Annotated[int, Field(ge=1, le=100)] | None = None
    """After so many refused challengers in a row no window starts a retraining.

    Until a version is deployed, a person closes the incident, or `stop_for` is over.
    """
    stop_for: Duration = parse_duration("30d")
    """How far the end of a window must lie after that of the last refused one, so that one more is
    tried.
    """
    quiet_hours: Annotated[tuple[QuietHours, ...], Field(max_length=20)] = ()
    """Hours in which none starts; a later window may."""
    cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Of `value`: what a retraining costs, in the unit of `train.metric` times rows.

    With 500 and the mean absolute error one is worth it that makes 1,000 answers better by 0.5.
    """
    gain: Literal["expected", "proven"] = "expected"
    """Of `value`: which gain per row counts, the measured one or the lower end of its interval."""
    pays_within: Duration = parse_duration("30d")
    """Of `value`: in which time it must have paid: the rows of so long count, as many as now."""

    @model_validator(mode="after")
    def _fields_fit(self) -> Retrain:
        if self.by == "schedule" and self.schedule is None:
            msg = "schedule: missing; `by: schedule` needs one, such as `schedule: monthly`"
            raise ValueError(msg)
        if self.by == "value" and self.cost is None:
            msg = "cost: missing; `by: value` needs what a retraining costs, in metric times rows"
            raise ValueError(msg)
        for names, owner in ((OF_SCHEDULE, "schedule"), (OF_VALUE, "value")):
            fields = type(self).model_fields
            said = [name for name in names if getattr(self, name) != fields[name].default]
            if said and self.by != owner:
                msg = f"{said[0]}: belongs to `by: {owner}`; remove it"
                raise ValueError(msg)
        for name in ("cooldown", "stop_for", "pays_within"):
            if (getattr(self, name) or timedelta(0)) < timedelta(0):
                msg = f"{name} must not be negative"
                raise ValueError(msg)
        if not self.pays_within:
            msg = "pays_within must be longer than nothing"
            raise ValueError(msg)
        return self

    def is_due(self, since: datetime | None, until: datetime) -> bool:
        """Tell whether the clock has struck after `since` and by `until`; without `since` it has.

        False where there is no schedule.
        """
        if self.schedule is None:
            return False
        if since is None:
            return True
        return next_strike(self.schedule, since) <= until

    def quiet_at(self, moment: datetime) -> QuietHours | None:
        """Return the quiet hours that hold a moment; None where none do."""
        return next((hours for hours in self.quiet_hours if hours.hold(moment)), None)


def retrain_problems(
    policy: Retrain | None,
    drift: Drift | None,
    train: Train,
    task: Task,
    *,
    has_target: bool,
    is_snapshot: bool,
) -> list[Problem]:
    """Return what is wrong with a policy beside the rest of the spec."""
    if policy is None:
        return []
    at = ("retrain",)
    if drift is None:
        why = "without `drift` nobody looks at windows; add it, or remove `retrain`"
        return [Problem(at, f"{why} (`train.schedule` needs neither)")]
    faults = []
    if policy.cooldown is not None and "cooldown" in drift.model_fields_set:
        why = "stands in `drift` too; write it here, and remove `drift.cooldown`"
        faults.append(Problem((*at, "cooldown"), why))
    if policy.by == "schedule" and train.schedule is not None:
        why = "two clocks would start it; remove `train.schedule`, or write another `by`"
        faults.append(Problem((*at, "by"), why))
    if policy.by == "performance" and not has_target and not finds_classes(task):
        why = f"{with_article(task)} without a target has no labels to judge by; write `change`"
        faults.append(Problem((*at, "by"), why))
    why = why_no_renewal(train.metric, task, is_snapshot=is_snapshot)
    if policy.by == "value" and why:
        faults.append(Problem((*at, "by"), f"no probe can be made: {why}; write another one"))
    if policy.quiet_hours and _is_always_quiet(policy, drift.schedule):
        why = (
            "`drift.schedule` looks at windows in these hours only, so that none would ever start"
            " a retraining; shorten them"
        )
        faults.append(Problem((*at, "quiet_hours"), why))
    return faults


def _is_always_quiet(policy: Retrain, schedule: Cron) -> bool:
    """Tell whether the next looks by a schedule all lie in quiet hours."""
    moment = SOME_YEAR
    for _ in range(LOOKS):
        moment = next_strike(schedule, moment)
        if policy.quiet_at(moment) is None:
            return False
    return True
