"""What a spec of an anomaly task may say, and what makes no sense in it.

Its estimators learn from rows without a truth. Labels, where there is a target, only judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.plain_errors import Problem
from pipelines.spec.flag_metrics import flag_rate_error
from pipelines.spec.metrics import find_metric, is_known
from pipelines.spec.threshold import ThresholdAtRate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.spec.candidates import Candidate
    from pipelines.spec.gate import Gate
    from pipelines.spec.threshold import ThresholdFor
    from pipelines.tasks import Task

LOCAL_OUTLIERS = "sklearn.neighbors.LocalOutlierFactor"


@dataclass(frozen=True)
class WordsOfAnomaly:
    """What a spec says that an anomaly task looks at; `own` names the model's own metrics."""

    task: Task
    threshold: float | ThresholdFor | ThresholdAtRate | None
    gate: Gate
    trained_by: str
    candidates: Sequence[Candidate]
    has_target: bool
    own: Sequence[str]
    automl: bool


def needs_truth(metric: str) -> bool:
    """Tell whether a metric looks at true values; one of the model's own does."""
    return not is_known(metric) or find_metric(metric).needs_truth


def promise_of(threshold: float | ThresholdFor | ThresholdAtRate | None) -> str:
    """Return the metric that holds the flagged share against the promised rate; "" if none is."""
    if not isinstance(threshold, ThresholdAtRate):
        return ""
    return flag_rate_error(threshold.rate)


def anomaly_problems(spec: WordsOfAnomaly) -> list[Problem]:
    """Return what is wrong with the spec of an anomaly task; nothing for any other task."""
    if spec.task != "anomaly":
        belongs = f"belongs to an anomaly task, this one is {spec.task}; remove it"
        return [Problem(("gate", "overlap"), belongs)] if spec.gate.overlap is not None else []
    unproposed = "proposes no candidates for an anomaly task; write them, and remove it"
    return [
        *([Problem(("automl",), unproposed)] if spec.automl else []),
        *(
            Problem(("metrics", name), "an anomaly task takes no metric of its own yet; remove it")
            for name in spec.own
        ),
        *_metric_problems(spec),
        *_search_problems(spec),
        *(
            problem
            for place, candidate in enumerate(spec.candidates)
            for problem in _candidate_problems(place, candidate)
        ),
    ]


def _metric_problems(spec: WordsOfAnomaly) -> Iterator[Problem]:
    promise = promise_of(spec.threshold)
    for path, name in _mentions(spec.gate, spec.trained_by):
        if not needs_truth(name) and promise and name != promise:
            rate = find_metric(name).number
            why = f"looks at {rate:g} per cent, and `threshold` promises another rate"
            yield Problem(path, f"{why}; write {promise}")
        elif needs_truth(name) and not spec.has_target:
            wanted = promise or "flag_rate_error_at_…_percent"
            yield Problem(
                path,
                f"{name} needs labels, and there is no target; name a `target`, or write {wanted}",
            )
    for name in spec.gate.guards:
        if not needs_truth(name):
            why = "is no better or worse than another model's; put it under at_most"
            yield Problem(("gate", "guards", name), why)


def _mentions(gate: Gate, trained_by: str) -> list[tuple[tuple[str, ...], str]]:
    return [
        (("train", "metric"), trained_by),
        (("gate", "versus_champion", "metric"), gate.versus_champion.metric),
        *((("gate", part, m), m) for part in ("at_least", "at_most") for m in getattr(gate, part)),
    ]


def _search_problems(spec: WordsOfAnomaly) -> Iterator[Problem]:
    """Say where settings or candidates would be chosen although nothing tells which is better."""
    if needs_truth(spec.trained_by):
        return
    blind = f"{spec.trained_by} needs no labels and cannot tell which is better"
    for place, candidate in enumerate(spec.candidates):
        if candidate.search:
            why = f"{blind}: fix `params`, or name a `target` and a metric that needs it"
            yield Problem(("candidates", place, "search"), why)
    if len(spec.candidates) > 1:
        why = f"{blind}: keep one candidate, or name a `target` and a metric that needs it"
        yield Problem(("candidates", 1), why)


def _candidate_problems(place: int, candidate: Candidate) -> Iterator[Problem]:
    at: tuple[str | int, ...] = ("candidates", place)
    if candidate.estimator == LOCAL_OUTLIERS and candidate.params.get("novelty") is not True:
        why = "answers no new rows without it: write `params: {novelty: true}`"
        yield Problem((*at, "params"), f"LocalOutlierFactor {why}")
    for field in ("stack", "vote", "onnx", "early_stopping"):
        if getattr(candidate, field):
            yield Problem((*at, field), "is not for an anomaly task; remove it")
    for nth, step in enumerate(candidate.steps):
        if step.step == "target" or (step.step == "select" and step.by != "variance"):
            why = "learns from the target, which an anomaly model does not see; remove it"
            yield Problem((*at, "steps", nth, "step"), f"{step.step} {why}")
