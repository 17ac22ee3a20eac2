"""A look at a window, and what was decided by it."""

from __future__ import annotations

from pipelines.science.drift import decide
from pipelines.watch.comparison import look
from tests.unit.watch.windows import CHAMPION, RULES

NAN, INF = float("nan"), float("inf")


def look_and_decide(rows, rules=RULES, labels=None, against=CHAMPION, *, with_page=True):
    found = look(rules, rows, labels, against, seed=1, with_page=with_page)
    return found, decide(found.facts, rules)


def look_without_page(rows, rules=RULES, labels=None, against=CHAMPION):
    """The same without Evidently's page, which decides nothing and takes most of the time."""
    return look_and_decide(rows, rules, labels, against, with_page=False)


def fact_of(found, name):
    return next(c for c in found.facts.columns if c.name == name)
