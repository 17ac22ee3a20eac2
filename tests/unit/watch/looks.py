"""A look at a window, and what was decided by it."""

from __future__ import annotations

from pipelines.science.drift import decide
from pipelines.watch.comparison import look
from tests.unit.watch.windows import CHAMPION, RULES

NAN, INF = float("nan"), float("inf")


def look_and_decide(rows, rules=RULES, labels=None, against=CHAMPION):
    found = look(rules, rows, labels, against, seed=1)
    return found, decide(found.facts, rules)


def fact_of(found, name):
    return next(c for c in found.facts.columns if c.name == name)
