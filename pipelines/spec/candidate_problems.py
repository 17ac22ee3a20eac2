"""What is wrong with a spec's candidates together, and beside the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.plain_errors import Problem
from pipelines.spec.estimators import (
    VOTE,
)
from pipelines.spec.search import (
    search_problems,
    stopping_problems,
)
from pipelines.spec.step_problems import step_problems
from pipelines.tasks import classifies, with_article

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.spec.candidates import Candidate
    from pipelines.tasks import Task


def candidate_problems(
    candidates: Sequence[Candidate], task: Task, inputs: Sequence[str]
) -> list[Problem]:
    """Return what is wrong with the candidates together, and beside the task."""
    names = [c.name for c in candidates]
    faults = [
        Problem(("candidates", names.index(n), "name"), f"the name {n!r} stands twice; rename one")
        for n in sorted({n for n in names if names.count(n) > 1})
    ]
    faults += [
        Problem(
            ("candidates", place, "estimator"),
            f"{c.estimator} of {c.name} cannot do {with_article(task)}; choose another one",
        )
        for place, c in enumerate(candidates)
        if c.estimator != VOTE and not can_do(c, task)
    ]
    for place, c in enumerate(candidates):
        at = ("candidates", place)
        faults += search_problems(at, c.search, c.method, c.limits)
        if c.early_stopping:
            faults += stopping_problems(at, c.estimator, c.search, _wrapper_of(c))
        faults += [
            Problem((*at, *fault.path), fault.text)
            for fault in step_problems(c.steps, inputs, task)
        ]
        if c.calibrate and not classifies(task):
            why = "corrects probabilities, and a regression has none; remove it"
            faults.append(Problem((*at, "calibrate"), why))
        faults += [Problem((*at, *f.path), f.text) for f in _part_problems(c, candidates)]
    if all(c.declaration.dummy for c in candidates):
        faults.append(Problem(("candidates",), "at least one must be more than a dummy; add one"))
    return faults


def can_do(candidate: Candidate, task: Task) -> bool:
    """Tell whether a candidate's estimator can do a task; quantiles are made of a regressor."""
    return ("regression" if task == "quantiles" else task) in candidate.declaration.tasks


def _wrapper_of(candidate: Candidate) -> str:
    """Return what lies around the estimator that early stopping does not reach through."""
    if candidate.part_names:
        return "stack" if candidate.stack else "vote"
    if any(step.step == "resample" for step in candidate.steps):
        return "resample"
    return "calibrate" if candidate.calibrate else ""


def _part_problems(whole: Candidate, candidates: Sequence[Candidate]) -> list[Problem]:
    """Return what is wrong with the candidates that a stack or a vote names."""
    field = "stack" if whole.stack else "vote"
    by_name = {c.name: c for c in candidates}
    faults = []
    for place, name in enumerate(whole.part_names):
        at = (field, place) if isinstance(getattr(whole, field), list) else (field, name)
        part, why = by_name.get(name), ""
        if part is None:
            why = f"there is no candidate {name!r}; known: {', '.join(by_name)}"
        elif part.part_names or part.onnx or part.pipeline:
            why = f"{name!r} is a stack, a vote, finished or own code; name one that is fitted here"
        elif part.declaration.dummy:
            why = f"{name!r} is a dummy and adds nothing; remove it"
        elif any(step.step == "resample" for step in part.steps):
            why = f"{name!r} draws rows (resample), which its part of a {field} cannot; remove it"
        elif whole.part_names.count(name) > 1 and whole.part_names.index(name) != place:
            why = f"{name!r} stands twice; remove one"
        if why:
            faults.append(Problem(at, why))
    return faults
