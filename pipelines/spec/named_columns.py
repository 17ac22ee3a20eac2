"""The columns that a spec names, beside each other: input, target, key and what they may not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.plain_errors import Problem
from pipelines.spec.gate_checks import leak_problems
from pipelines.spec.gate_served import golden_problems
from pipelines.spec.target import target_problems

if TYPE_CHECKING:
    from pipelines.spec.drift import Drift
    from pipelines.spec.features import Features
    from pipelines.spec.gate import Gate
    from pipelines.spec.target import Target


@dataclass(frozen=True)
class WordsOfColumns:
    """All that a spec says of columns; `inputs` are the model's, made ones among them."""

    task: str
    key: list[str]
    target: Target
    features: Features
    inputs: list[str]
    sample_weight: str | None
    drift: Drift | None
    gate: Gate


_BAND = "its values would stand on a page; build a column of its own, such as an age band"


def column_problems(spec: WordsOfColumns) -> list[Problem]:
    """Return what is wrong with the columns that a spec names, beside each other."""
    inputs, place = spec.features.inputs, ("features", "inputs")
    faults = [] if spec.inputs else [Problem(place, "names no input; a model needs at least one")]
    faults += [
        Problem((*place, inputs.index(c)), f"{c!r} stands twice; remove one")
        for c in sorted({c for c in inputs if inputs.count(c) > 1})
    ]
    if spec.target.column in inputs:
        faults.append(
            Problem(
                (*place, inputs.index(spec.target.column)),
                f"{spec.target.column!r} is the target; a model must not see it",
            )
        )
    identity = "is part of the key; a key is an identity, no input"
    faults += [
        Problem((*place, inputs.index(c)), f"{c!r} {identity}") for c in spec.key if c in inputs
    ]
    faults += [
        Problem(("key", spec.key.index(c)), f"{c!r} stands twice; remove one")
        for c in sorted({c for c in spec.key if spec.key.count(c) > 1})
    ]
    weight = spec.sample_weight
    if weight in {*inputs, spec.target.column, *spec.key}:
        why = f"{weight!r} is an input, the target or part of the key; build a column of its own"
        faults.append(Problem(("train", "sample_weight"), why))
    faults += target_problems(spec.target, inputs, spec.task)
    names = [*inputs, *spec.key]
    stranger = "is neither an input nor part of the key; remove it"
    faults += [
        Problem(("features", "personal", c), stranger)
        for c in spec.features.personal
        if c not in names
    ]
    faults += [
        Problem(spec.gate.place_of(c), f"{c!r} is personal; {_BAND}")
        for c in spec.gate.columns_shown
        if c in spec.features.personal
    ]
    built = [*spec.inputs, *names, spec.target.column]
    alike = {c.lower(): c for c in built}
    faults += [
        Problem(spec.gate.place_of(c), f"{c!r} is not built, {alike[c.lower()]!r} is; write that")
        for c in spec.gate.columns_shown
        if c not in built and c.lower() in alike
    ]
    faults += leak_problems(spec.gate.leak, spec.task, inputs)
    faults += golden_problems(spec.gate.golden, spec.task, inputs)
    drift_columns = spec.drift.columns if spec.drift else {}
    return faults + [
        Problem(("drift", "columns", c), "is no input; remove it, or add it to features.inputs")
        for c in drift_columns
        if c not in spec.inputs
    ]
