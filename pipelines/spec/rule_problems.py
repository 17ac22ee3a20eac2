"""What a spec may say of the rule by which a challenger is held against the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.plain_errors import Problem
from pipelines.spec.anomaly import needs_truth
from pipelines.tasks import answers_scores, finds_classes

if TYPE_CHECKING:
    from pipelines.spec.gate import VersusChampion
    from pipelines.tasks import Task


def rule_problems(versus: VersusChampion, task: Task, *, is_snapshot: bool) -> list[Problem]:
    """Return what is wrong with the rule, its margin and `renewal` beside the rest of the spec."""
    at = ("gate", "versus_champion")
    faults = []
    if versus.rule == "better" and versus.margin is not None:
        why = "`rule: better` has none; remove it, or write `rule: value` or `rule: not_worse`"
        faults.append(Problem((*at, "margin"), why))
    if why := why_only_better(versus.metric, task):
        said = {"rule": versus.rule not in {None, "better"}, "margin": versus.margin is not None}
        faults += [
            Problem((*at, name), f"{why}; remove it") for name, there in said.items() if there
        ]
    if versus.renewal and (why := why_no_renewal(versus.metric, task, is_snapshot=is_snapshot)):
        faults.append(Problem((*at, "renewal"), f"{why}; remove it"))
    return faults


def why_only_better(metric: str, task: Task) -> str:
    """Return in words why no margin can be proven; empty where one can."""
    if finds_classes(task):
        return "a clustering follows the champion's where it is the same one (see `stability`)"
    if not needs_truth(metric):
        return f"{metric} needs no truth, so that nothing is proven by it"
    return ""


def why_no_renewal(metric: str, task: Task, *, is_snapshot: bool) -> str:
    """Return in words why a recipe cannot be fitted again from part to part; empty where it can."""
    if is_snapshot:
        return "the rows of a snapshot have no time, so that no part comes after another"
    if answers_scores(task):
        return "the threshold of an anomaly model belongs to one fit, and not to several"
    return why_only_better(metric, task)
