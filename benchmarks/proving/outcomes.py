"""What becomes of a challenger: by the real gate step, and by each of the other rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.proving.rules import RULES, metrics_of
from pipelines.errors import PerennialError
from pipelines.steps import gate

if TYPE_CHECKING:
    from benchmarks.proving.rules import Metrics, Rule
    from benchmarks.proving.world import Trained, World


@dataclass(frozen=True)
class Outcome:
    """Whether a challenger is promoted; else by which checks it is refused, and why in words."""

    promoted: bool
    checks: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    promoted_by: tuple[str, ...] = ()
    """The rules that would promote it."""


def judge(world: World, trained: Trained) -> Outcome:
    """Return what the step `gate` and the rules say; an error that the gate names is a refusal."""
    rules = promoting_rules(world, trained)
    try:
        result = gate.run(trained.context, trained.request, world.servers)
    except PerennialError as error:
        name = type(error).__name__
        return Outcome(promoted=False, checks=(name,), reasons=(str(error),), promoted_by=rules)
    failed = tuple(check.name for check in result.checks if not check.passed)
    promoted = result.verdict == "promote"
    return Outcome(promoted, failed, tuple(result.reasons), rules)


def promoting_rules(world: World, trained: Trained) -> tuple[str, ...]:
    """Return the names of the rules that would promote a challenger."""
    try:
        held, truth = trained.held, trained.truth
        ours = metrics_of(truth, trained.answers)
    except (PerennialError, ValueError):  # as of an empty holdout, and of NaN
        return ()
    try:
        theirs = metrics_of(truth, world.champion_answers(held))
    except PerennialError:
        theirs = None
    return tuple(name for name, rule in RULES.items() if _promotes(rule, ours, theirs))


def _promotes(rule: Rule, ours: Metrics, theirs: Metrics | None) -> bool:
    try:
        return bool(rule(ours, theirs))
    except ValueError:
        return False
