"""What is wrong with steps beside each other, the inputs and the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.plain_errors import Problem
from pipelines.tasks import classifies

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipelines.spec.steps import Step, StepBase


_TAKEN = ("encode", "estimator", "numbers", "texts")
"""Names of the pipeline's own parts."""


def step_problems(steps: Sequence[Step], inputs: Collection[str], task: str) -> list[Problem]:
    """Return what is wrong with steps beside each other, the inputs and the task.

    The paths begin at `steps`.
    """
    faults: list[Problem] = []
    names = [step.name for step in steps if step.name]
    joined = ""
    for place, step in enumerate(steps):
        at = ("steps", place)
        if step.name and (names.count(step.name) > 1 or step.name in _TAKEN or "__" in step.name):
            faults.append(Problem((*at, "name"), "is taken already; choose another one"))
        if step.named_only and not step.columns:
            faults.append(Problem((*at, "columns"), "missing; name the inputs that it takes"))
        faults += [
            Problem((*at, "columns", i), f"{c!r} is no input; mend it, or add it to the inputs")
            for i, c in enumerate(step.columns or ())
            if c not in inputs
        ]
        if joined and not (step.joint and not step.columns):
            text = f"stands after {joined}, which takes all columns; put it before"
            faults.append(Problem((*at, "step"), text))
        if step.step == "resample":
            faults += _resample_problems(step, at, task, last=place == len(steps) - 1)
        joined = joined or (step.step if step.joint and not step.columns else "")
    return faults


def _resample_problems(
    step: StepBase, at: tuple[str | int, ...], task: str, *, last: bool
) -> list[Problem]:
    faults = []
    if not classifies(task):
        faults.append(Problem((*at, "step"), "resample balances classes; a regression has none"))
    if not last:
        faults.append(Problem((*at, "step"), "resample draws rows and must be the last step"))
    if step.columns:
        faults.append(Problem((*at, "columns"), "resample takes whole rows; leave it out"))
    return faults
