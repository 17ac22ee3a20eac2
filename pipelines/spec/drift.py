"""What a spec says of drift: how often one looks, at what, and from when on it counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pipelines.refs import Value
from pipelines.spec.sources import Identifier
from pipelines.spec.units import Duration, Window, parse_duration

PRESETS = ("hourly", "daily", "weekly", "monthly", "yearly")
CRON_FIELDS = 5
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


class Rule(Value):
    """Evidently's method for a column, and the score at which the column has drifted.

    For a score the column has drifted from there on, for a p-value below it.
    """

    method: Literal[
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
    """Evidently's method."""
    threshold: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    """The score, or the p-value, that decides."""


Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Performance(Value):
    """When live answers are worse than the champion promised.

    That is when even the good end of a one-sided interval of the live metric (with this confidence)
    is worse than the champion's score on its holdout by more than `tolerance`, in the metric's own
    unit.
    """

    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.02
    """How much worse than on the holdout is still as promised, in the metric's unit."""
    confidence: Annotated[float, Field(gt=0.5, lt=1, allow_inf_nan=False)] = 0.95
    """How sure it must be that the live answers are worse."""


class Drift(Value):
    """When and how drift is looked for."""

    schedule: Cron
    """When one looks."""
    window: Window = 1
    """How many batches' time one check looks at.

    Of data without time whole hours or days of traffic; there the default is 1d.
    """
    false_alarms: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """The share of windows without drift that may be called drift."""
    min_rows: Annotated[int, Field(ge=1)] = 500
    """Below this many rows there is no verdict; nor below as many labels one on performance."""
    cooldown: Duration = parse_duration("7d")
    """How long after a window that started a retraining no other window starts one.

    `retrain.cooldown` says the same, beside the rest of the policy.
    """
    numbers: Rule = Rule(method="wasserstein", threshold=0.1)
    """The rule for inputs that are numbers."""
    texts: Rule = Rule(method="jensenshannon", threshold=0.1)
    """The rule for inputs that are texts."""
    predictions: Rule = Rule(method="jensenshannon", threshold=0.1)
    """The rule for what the model answers."""
    columns: dict[Identifier, Rule] = Field(default_factory=dict)
    """Rules of single inputs."""
    share: Share = 0.5
    """The share of the inputs that must have drifted before the inputs as a whole have."""
    missing: Share = 0.1
    """How much the share of missing values may rise above that of the champion's training data."""
    performance: Performance = Performance()
    """When live answers are worse than promised."""

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
        if self.cooldown < timedelta(0):
            msg = "cooldown must not be negative"
            raise ValueError(msg)
        return self
