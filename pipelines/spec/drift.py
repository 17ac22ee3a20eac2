"""What a spec says of drift: how often one looks, at what, and from when on it counts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pipelines.refs import Value
from pipelines.spec.sources import Identifier
from pipelines.spec.units import Duration, Window

PRESETS = ("hourly", "daily", "weekly", "monthly", "yearly")
CRON_FIELDS = 5
COOLDOWN_BATCHES, LEAST_COOLDOWN = 3, timedelta(days=7)
"""The cooldown where the spec has none."""
LENGTHS: dict[str, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=29),
}
"""How long batches are, for a cooldown: any three months in a row are 89 days at least."""
TRAFFIC = timedelta(days=1)
"""How much traffic one look takes in where the data have no time and the spec does not say."""


def _schedule(text: str) -> str:
    """Return the schedule.

    ValueError where Airflow would not take it, which would take every other model's DAG down with
    it.
    """
    if text.removeprefix("@") in PRESETS:
        return text
    from croniter import CroniterBadDateError, croniter

    if len(text.split()) != CRON_FIELDS or not text.isascii() or not croniter.is_valid(text):
        msg = (
            f"is no schedule; write one of {', '.join(PRESETS)}, or five cron fields such as `0 3 *"
            " * 1`"
        )
        raise ValueError(msg)
    try:
        croniter(text).get_next()
    except CroniterBadDateError as error:
        msg = "is a schedule that is never due; choose days that exist"
        raise ValueError(msg) from error
    return text


Cron = Annotated[str, StringConstraints(max_length=60), AfterValidator(_schedule)]

NUMBER_METHODS = (
    *("wasserstein", "psi", "ks", "jensenshannon", "kl_div", "hellinger", "ed"),
    *("anderson", "cramer_von_mises", "t_test"),
)
"""Those of Evidently 0.7 for numbers, but its Mann-Whitney test, which is one-sided.

A shift downwards reads as none.
"""
TEXT_METHODS = ("jensenshannon", "psi", "kl_div", "hellinger", "chisquare")
"""The methods for texts, but for two of them.

Evidently's G-test raises for sides of different sizes, and TVD takes minutes.
"""
P_VALUES = frozenset({"ks", "anderson", "cramer_von_mises", "t_test", "chisquare"})
"""Methods whose score is a p-value: there is drift below the threshold; of all others, above it."""


Method = Literal[
    "wasserstein",
    "psi",
    "ks",
    "jensenshannon",
    "kl_div",
    "hellinger",
    "ed",
    "anderson",
    "cramer_von_mises",
    "t_test",
    "chisquare",
]
"""Evidently's distances and tests of two samples of a column."""


class Rule(Value):
    """How a column's two sides are compared, and perhaps a threshold of your own.

    Without a threshold the test decides, at the rate that `false_alarms` states.
    """

    method: Method
    """Evidently's method."""
    threshold: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    """A rule of your own beside the test, which no rate is known of.

    The column has drifted where the score is no less, or the p-value below it.
    """

    def passed(self, score: float | None) -> bool:
        """Tell whether a score is beyond the threshold, if there is one."""
        if score is None or self.threshold is None:
            return False
        if self.method in P_VALUES:
            return score < self.threshold
        return score >= self.threshold


Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Performance(Value):
    """How live answers are held against those of the holdout.

    A test compares how wrong single answers are; `tolerance` is a rule of your own beside it, of
    the metric.
    """

    tolerance: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    """How much worse than on the holdout is tolerated, as a share of what was reached there.

    0.1 of a promised error of 50 is 5. The live metric is worse where even the good end of the
    difference's interval is; both samples' errors count. Where it is not given there is no such
    rule, also where no test of single answers stands for the metric (clusters, anomalies): there it
    is shown and starts nothing.
    """
    confidence: Annotated[float, Field(gt=0.5, lt=1, allow_inf_nan=False)] = 0.95
    """How sure it must be that the live answers are worse, and how sure the intervals are."""


Regime = Literal["hour", "weekday", "month", "holiday"]
MOST_HOLIDAYS = 2_000
"""Holidays of a spec at most."""


class Drift(Value):
    """When and how drift is looked for."""

    schedule: Cron
    """When one looks."""
    window: Window = 1
    """How many batches' time one check looks at.

    Of data without time whole hours or days of traffic; there the default is 1d.
    """
    false_alarms: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """The share of windows without drift that may be called drift, by all tests together.

    It is of each window: 52 windows a year at 0.05 make 2.6 false ones in the mean.
    """
    min_rows: Annotated[int, Field(ge=1)] = 500
    """Below this many rows there is no verdict; nor below as many labels one on performance."""
    cooldown: Duration | None = None
    """How long after a window that started a retraining no other window starts one.

    Default: three batches, and 7d at least. `retrain.cooldown` says the same, beside the rest of
    the policy.
    """
    season: Literal["auto", "none"] | tuple[Regime, ...] = "auto"
    """By which regimes the reference is matched to the window, so that a season is no change.

    `auto` takes those of hour, weekday, month and holiday whose every value in the window has a
    past.
    """
    holidays: Annotated[tuple[date, ...], Field(max_length=MOST_HOLIDAYS)] = ()
    """Days on which the world is another one: public holidays, closures. They are days of the event
    times, in UTC; name those of the past too.
    """
    numbers: Rule = Rule(method="wasserstein")
    """The rule for inputs that are numbers."""
    texts: Rule = Rule(method="jensenshannon")
    """The rule for inputs that are texts."""
    predictions: Rule = Rule(method="jensenshannon")
    """The rule for what the model answers."""
    columns: dict[Identifier, Rule] = Field(default_factory=dict)
    """Rules of single inputs."""
    share: Share = 0.5
    """Of the inputs with a threshold of your own: the share that must have passed it."""
    missing: Share | None = None
    """A rule of your own: how much the share of missing values may rise above the reference's."""
    performance: Performance = Performance()
    """How live answers are held against those of the holdout."""

    def cooldown_of(self, batch: str | None) -> timedelta:
        """Return the cooldown; without one in the spec it follows from how long batches are.

        Data change all the time, and each change asks for a retraining. Three batches are what
        `benchmarks/replay.py` shows to lose little, with a third of the retrainings.
        """
        if self.cooldown is not None:
            return self.cooldown
        length = LENGTHS[batch] if batch else timedelta(0)
        return max(LEAST_COOLDOWN, COOLDOWN_BATCHES * length)

    def rule(self, column: str, *, text: bool) -> Rule:
        """Return an input's rule."""
        return self.columns.get(column, self.texts if text else self.numbers)

    @model_validator(mode="after")
    def _methods_fit(self) -> Drift:
        if self.numbers.method not in NUMBER_METHODS:
            msg = (
                f"numbers: {self.numbers.method} does not compare numbers; use one of"
                f" {', '.join(NUMBER_METHODS)}"
            )
            raise ValueError(msg)
        if self.texts.method not in TEXT_METHODS:
            msg = (
                f"texts: {self.texts.method} does not compare texts; use one of"
                f" {', '.join(TEXT_METHODS)}"
            )
            raise ValueError(msg)
        if self.cooldown is not None and self.cooldown < timedelta(0):
            msg = "cooldown must not be negative"
            raise ValueError(msg)
        if "holiday" in self.season and not self.holidays:
            msg = "season: holiday needs `holidays`, a list of days such as 2026-12-25"
            raise ValueError(msg)
        if self.holidays and self.season != "auto" and "holiday" not in self.season:
            msg = "holidays: nothing is matched by them; add holiday to `season`, or remove them"
            raise ValueError(msg)
        return self
