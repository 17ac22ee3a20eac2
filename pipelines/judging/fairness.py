"""What the challenger decides for groups of people, on held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.comparison.error_slices import slices_of
from pipelines.judging.draws import draws_of
from pipelines.science.gate.fairness import Decided, measure_aspect
from pipelines.science.gate.fairness_check import FairnessFacts
from pipelines.science.pieces import pieces_of
from pipelines.training.targets import targets

if TYPE_CHECKING:
    from pipelines.judging.held_out import Answers
    from pipelines.spec import Spec

GROUPS = 8
"""Texts of a column that are groups by themselves, the most frequent first; the rest is one."""


def measure_fairness(spec: Spec, answers: Answers) -> FairnessFacts:
    """Return what the answers say of each aspect that the gate asks for."""
    rule = spec.gate.fairness
    if rule is None:
        return FairnessFacts()
    draws = draws_of(answers.rows, spec)
    decided = Decided(
        positive=answers.own > answers.threshold,
        truth=targets(answers.rows, spec, answers.classes),
        groups=dict(slices_of(answers.rows, [rule.by], (), GROUPS)),
        pieces=pieces_of(draws["event_times"], draws["groups"], draws["span"]),
    )
    return FairnessFacts({a: measure_aspect(decided, a, rule) for a in rule.limits})
