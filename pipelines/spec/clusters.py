"""What a spec of a clustering may say, and what it may not: there is nothing to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipelines.plain_errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipelines.spec.candidates import Candidate
    from pipelines.spec.gate import Gate
    from pipelines.spec.own_metrics import OwnMetric
    from pipelines.spec.search import Range
    from pipelines.spec.train import Train

STABLE: Final = 0.8
"""The stability against the champion from which on a version counts as the same clustering."""
_COUNTS = ("n_clusters", "n_components")
_UNPROPOSED = "proposes no candidates for a cluster task; write them, and remove it"
_WEIGHTLESS = ("GaussianMixture", "BayesianGaussianMixture", "MeanShift")


def cluster_problems(
    candidates: Sequence[Candidate],
    gate: Gate,
    train: Train,
    own: Mapping[str, OwnMetric],
    task: str,
    *,
    automl: bool,
) -> list[Problem]:
    """Return what a spec of a clustering says that has no meaning, or of another task for it."""
    if task != "cluster":
        if gate.versus_champion.stability is None:
            return []
        why = f"belongs to a cluster task, this one is {task}; remove it"
        return [Problem(("gate", "versus_champion", "stability"), why)]
    faults = [
        *([Problem(("automl",), _UNPROPOSED)] if automl else []),
        *_gate_problems(gate, train),
        *(
            Problem(("metrics", name), "a cluster task has no true values to compare; remove it")
            for name in own
        ),
    ]
    for place, candidate in enumerate(candidates):
        at = ("candidates", place)
        faults += [Problem((*at, *fault.path), fault.text) for fault in _problems_of(candidate)]
        if train.sample_weight and candidate.estimator.endswith(_WEIGHTLESS):
            why = f"{candidate.estimator} takes no weights of rows; remove it, or the candidate"
            faults.append(Problem(("train", "sample_weight"), why))
    return faults


def _gate_problems(gate: Gate, train: Train) -> Iterator[Problem]:
    elsewhere = "is compared with the champion only; write versus_champion: {stability: 0.8}"
    for part in ("at_least", "at_most", "guards"):
        if "stability" in getattr(gate, part):
            yield Problem(("gate", part, "stability"), elsewhere)
    for at, metric in (
        (("train", "metric"), train.metric),
        (("gate", "versus_champion", "metric"), gate.versus_champion.metric),
    ):
        if metric == "stability":
            yield Problem(at, "needs a champion to compare with; name silhouette")


def _problems_of(candidate: Candidate) -> Iterator[Problem]:
    for field in ("calibrate", "stack", "vote", "early_stopping"):
        if getattr(candidate, field):
            yield Problem((field,), "a cluster task has no target to learn from; remove it")
    for place, step in enumerate(candidate.steps):
        if step.step in {"target", "resample"} or (
            step.step == "select" and getattr(step, "by", "") != "variance"
        ):
            why = f"{step.step} learns from a target, and a cluster task has none; remove it"
            yield Problem(("steps", place, "step"), why)
    for name in _COUNTS:
        if candidate.params.get(name, 2) in {0, 1} and name in candidate.params:
            yield Problem(("params", name), "one cluster tells nothing; write 2 or more")
        if _least(candidate.search.get(name)) < 2:  # noqa: PLR2004 -- one cluster is none
            yield Problem(("search", name), "one cluster tells nothing; begin with 2")


def _least(space: list[Any] | Range | None) -> float:
    """Return the least number that is searched; infinite where none is."""
    values = space if isinstance(space, list) else [] if space is None else [space.low]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return min(numbers, default=float("inf"))
