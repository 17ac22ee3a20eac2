"""The metrics that a spec may name, known without importing NumPy: a DAG file parses lightly.

Some take a number in their name, such as `fbeta_0.5` or `precision_at_100`. A name is a plain YAML
key, a metric's name for MLflow, a label for Prometheus and a file's name alike, so it holds
letters, digits, `_`, `.` and `-` only: a share of the rows is `precision_at_5_percent`.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.spec.metric_catalogue import FAMILIES, METRICS
from pipelines.spec.value_metrics import tweedie_needs

if TYPE_CHECKING:
    from pipelines.spec.metric import Family, Metric
    from pipelines.tasks import Task

_LONGEST_NAME = 80


def find_metric(name: str) -> Metric:
    """Return the declaration of a metric, with the number of its name where it has one.

    Raises RequestError for an unknown name or a number that it cannot take.
    """
    if name in METRICS:
        return METRICS[name]
    for family in FAMILIES:
        text = family.number_in(name)
        if text is not None:
            number = _read_number(name, text, family)
            found = replace(family.metric, name=name, number=number)
            return (
                replace(found, needs=tweedie_needs(number)) if found.family == "tweedie" else found
            )
    raise RequestError(f"There is no metric {name[:_LONGEST_NAME]!r}.", remedy=_suggest(name))


def is_known(name: str) -> bool:
    """Tell whether there is such a metric."""
    try:
        find_metric(name)
    except RequestError:
        return False
    return True


def is_unknown(name: str) -> bool:
    """Tell whether there is no such metric, with whatever number."""
    return name not in METRICS and all(family.number_in(name) is None for family in FAMILIES)


def fits(name: str, task: Task) -> bool:
    """Tell whether a metric is known and fits the task."""
    return is_known(name) and task in find_metric(name).tasks


def metrics_for(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics that are always computed for the task, and shown."""
    return tuple(name for name, metric in METRICS.items() if task in metric.shown)


def names_for(task: Task) -> tuple[str, ...]:
    """Return the names of all metrics that fit the task, an example of each that takes a number."""
    fixed = (name for name, metric in METRICS.items() if task in metric.tasks)
    return (*fixed, *(family.example for family in FAMILIES if task in family.metric.tasks))


def _read_number(name: str, text: str, family: Family) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    whole = not family.whole or (number.is_integer() and text.isdecimal())
    if not whole or not family.allows(number):
        raise RequestError(
            f"{text[:_LONGEST_NAME]!r} is no number that the metric"
            f" {name[:_LONGEST_NAME]!r} can take.",
            remedy=f"{family.range}, as in {family.example}.",
        )
    if text != f"{number:.12g}":
        raise RequestError(
            f"The metric {name[:_LONGEST_NAME]!r} has a shorter name.",
            remedy=f"write {family.write(number)}.",
        )
    return number


def _suggest(name: str) -> str:
    """Return the remedy for an unknown name: the closest ones, and all there are."""
    examples = [family.example for family in FAMILIES]
    return (
        f"{ask_for(name)}There are {', '.join(METRICS)}; and with a number {', '.join(examples)}."
    )


def ask_for(name: str) -> str:
    """Return the question whether a metric of a close name is meant; "" where none is close.

    A name of scikit-learn's is known for what it is called here.
    """
    examples = [family.example for family in FAMILIES]
    calls = {
        metric.theirs.partition("(")[0]: ours
        for ours, metric in reversed(METRICS.items())
        if metric.theirs
    }
    calls |= {call.removesuffix("_score").removesuffix("_loss"): o for call, o in calls.items()}
    known = {**calls, **{ours: ours for ours in (*METRICS, *examples)}}
    plain = name[:_LONGEST_NAME].lower().replace("-", "_").replace(" ", "_").removeprefix("neg_")
    found = [plain] if plain in known else difflib.get_close_matches(plain, known, n=3, cutoff=0.5)
    close = dict.fromkeys(known[name] for name in found)
    return f"did you mean {' or '.join(close)}? " if close else ""
