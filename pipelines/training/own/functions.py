"""The function of `model.py`: what it is told, and what it must return.

It is called in the process of the model's own code.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pipelines.errors import SpecError
from pipelines.fence.own_code import FILE
from pipelines.tasks import answers_scores, classifies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEVEL = "level"
"""The parameter by which a function is told the level that its estimator shall learn."""


def arguments_of(function: Any, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that the function asks for by the names of its parameters."""
    arguments = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}:
            continue
        if parameter.name in facts and parameter.kind != parameter.POSITIONAL_ONLY:
            arguments[parameter.name] = facts[parameter.name]
        elif parameter.default is parameter.empty:
            raise SpecError(
                f"`{name}` of {FILE} asks for {parameter.name!r}, which nobody gives.",
                remedy=f"its parameters may be {', '.join(facts)}; or give it a default.",
            )
    return arguments


def refuse_no_estimator(made: Any, name: str, task: str) -> None:
    """Raise SpecError for what cannot be fitted and asked."""
    kind = type(made).__name__
    if isinstance(made, type):
        raise SpecError(
            f"`{name}` of {FILE} returns the class {made.__name__}, not an estimator.",
            remedy=f"return `{made.__name__}(...)`.",
        )
    needed = ["get_params", "set_params", "fit"]
    needed.append(
        "score_samples"
        if answers_scores(task)
        else "predict"
        if not classifies(task)
        else "predict_proba"
    )
    # A pipeline shows a method of its last step once that is there, fitted or not; one that cannot
    # say yet is asked again when it is fitted.
    absent = [method for method in needed if not hasattr(made, method)]
    if absent:
        raise SpecError(
            f"`{name}` of {FILE} returns a {kind} without {' and '.join(absent)}.",
            remedy=f"return an estimator or a Pipeline of scikit-learn's kind {_kind_of(task)}",
        )


def _kind_of(task: str) -> str:
    """Return in words which kind of scikit-learn's estimators does a task."""
    if answers_scores(task):
        return (
            "(`class Mine(OutlierMixin, BaseEstimator)`); `score_samples` says how usual a row is."
        )
    if classifies(task):
        return "(`class Mine(ClassifierMixin, BaseEstimator)`); a classifier gives probabilities."
    return "(`class Mine(RegressorMixin, BaseEstimator)`); `predict` gives the values."


def refuse_without_level(function: Any, name: str) -> None:
    """Raise SpecError for a function that does not ask for the level."""
    if LEVEL in inspect.signature(function).parameters:
        return
    raise SpecError(
        f"`{name}` of {FILE} asks for no {LEVEL!r}, and a model of quantiles is fitted once for"
        " each level.",
        remedy=f"write `def {name}({LEVEL})` and return the estimator that learns the quantile of"
        f" that level, such as QuantileRegressor(quantile={LEVEL}).",
    )


def refuse_set_levels(
    first: dict[str, Any], last: dict[str, Any], wanted: Sequence[str], name: str
) -> None:
    """Raise SpecError where the estimators of two levels are one, or the spec sets what tells them
    apart.

    `first` and `last` are their nested parameters, `wanted` the names in `params` and `search`.
    """
    differ = {
        key for key in first.keys() | last.keys() if _value_of(first, key) != _value_of(last, key)
    }
    if not differ:
        raise SpecError(
            f"`{name}` of {FILE} returns the same estimator for each level.",
            remedy=f"hand `{LEVEL}` to the estimator, by its parameter for the quantile.",
        )
    if taken := sorted(differ & set(wanted)):
        raise SpecError(
            f"{taken[0]} is what `{name}` of {FILE} sets by the level, and the spec sets it for all"
            " levels alike.",
            remedy="remove it from `params` and `search`.",
        )


def _value_of(parameters: dict[str, Any], key: str) -> str:
    return repr(parameters[key]) if key in parameters else "absent"
