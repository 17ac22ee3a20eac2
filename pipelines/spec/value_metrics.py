"""The metrics of predicted values, declared."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from pipelines.spec.metric import Family, Metric, Need
from pipelines.tasks import REGRESS

_LEAST = 1e-9
_ERRORS = Metric(
    name="",
    tasks=REGRESS,
    sees="distances",
    greater_is_better=False,
    bounds=(0, inf),
    means="",
    constant="median",
)
_SQUARES = replace(_ERRORS, sees="squares", constant="mean")
VALUE_METRICS = (
    replace(
        _ERRORS,
        name="mae",
        means="the mean of |true - predicted|, in the target's unit",
        theirs="mean_absolute_error",
        shown=REGRESS,
    ),
    replace(
        _SQUARES,
        name="mse",
        means="the mean of (true - predicted)², in the target's unit squared",
        theirs="mean_squared_error",
    ),
    replace(
        _SQUARES,
        name="rmse",
        means="the root of `mse`, in the target's unit",
        theirs="root_mean_squared_error",
        shown=REGRESS,
    ),
    replace(
        _SQUARES,
        name="r2",
        greater_is_better=True,
        bounds=(-inf, 1),
        means="the share of the true values' variance that is explained",
        undefined="the true values are all the same",
        theirs="r2_score",
        shown=REGRESS,
    ),
    replace(
        _ERRORS,
        name="wape",
        means="the sum of |true - predicted| as a share of the sum of |true|",
        undefined="all true values are 0",
        shown=REGRESS,
    ),
    replace(
        _ERRORS,
        name="median_error",
        means="the median of |true - predicted|, in the target's unit",
        theirs="median_absolute_error",
        shown=REGRESS,
    ),
    replace(
        _ERRORS,
        name="mape",
        means="the mean of |true - predicted| / |true|, as a share: 0.1 is 10 %",
        needs=(Need("truth", "!=", 0),),
        theirs="mean_absolute_percentage_error",
        constant="relative_median",
    ),
    replace(
        _ERRORS,
        name="smape",
        bounds=(0, 2),
        means=(
            "the mean of 2 |true - predicted| / (|true| + |predicted|), from 0 to 2; a row of which"
            " both are 0 is right"
        ),
    ),
    replace(
        _SQUARES,
        name="rmsle",
        means="the root of the mean of (log(1 + true) - log(1 + predicted))²",
        needs=(Need("truth", ">", -1), Need("answer", ">", -1)),
        theirs="root_mean_squared_log_error",
        constant="log_mean",
    ),
    replace(
        _SQUARES,
        name="poisson_deviance",
        means="the mean deviance of counts: errors as heavy as a Poisson count makes them",
        needs=(Need("truth", ">=", 0), Need("answer", ">", 0)),
        theirs="mean_poisson_deviance",
    ),
    replace(
        _SQUARES,
        name="gamma_deviance",
        means="the mean deviance of positive amounts: errors in proportion to the amount",
        needs=(Need("truth", ">", 0), Need("answer", ">", 0)),
        theirs="mean_gamma_deviance",
    ),
)

VALUE_FAMILIES: tuple[Family, ...] = (
    Family(
        "pinball_{}",
        replace(
            _ERRORS,
            family="pinball",
            means="the mean loss of a quantile: too low costs q, too high 1 - q for each unit",
            theirs="mean_pinball_loss",
            constant="quantile",
        ),
        example="pinball_0.9",
        range="the quantile is above 0 and below 1",
        spans=((_LEAST, 1 - _LEAST),),
    ),
    Family(
        "tweedie_{}",
        replace(
            _SQUARES,
            family="tweedie",
            means="the mean Tweedie deviance of a power: 0 `mse`, 1 Poisson, 2 gamma",
            theirs="mean_tweedie_deviance",
        ),
        example="tweedie_1.5",
        range="the power is from -10 to 0 or from 1 to 10",
        spans=((-10, 0), (1, 10)),
    ),
)


def tweedie_needs(power: float) -> tuple[Need, ...]:
    """Return what truth and answers must be for the Tweedie deviance of a power."""
    if power == 0:
        return ()
    answer = Need("answer", ">", 0)
    if power < 0:
        return (answer,)
    return (Need("truth", ">=" if power < 2 else ">", 0), answer)  # noqa: PLR2004 -- from gamma on
