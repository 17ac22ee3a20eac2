"""The look at a window: what was served there, against what the champion learnt from and promised.

`look` answers for any data. What is broken in them is named in the facts, and so is an exception of
the look itself, which is an alarm and never "no drift": schema, kinds and finiteness are checked
before anything is compared. The tests decide (`watch.families`); distances and Evidently's page
show what they saw.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.changed_columns import with_test
from pipelines.science.distances import distance
from pipelines.science.drift_facts import ColumnFact, DriftFacts
from pipelines.science.drift_reasons import strength
from pipelines.science.residuals import bias_of
from pipelines.spec.metrics import find_metric, is_known
from pipelines.watch import evidently_run
from pipelines.watch.evidently_samples import break_ties, move_to_zero, spread_out
from pipelines.watch.families import find_all, find_testable
from pipelines.watch.pairs import input_pairs, is_constant, prediction_pair, why_too_few
from pipelines.watch.preconditions import (
    CheckedWindow,
    check,
    rule_of,
    size,
    watched_inputs,
)
from pipelines.watch.promises import WORDS, with_flags, with_performance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.changes.facts import FamilyChange
    from pipelines.spec.drift import Drift, Rule
    from pipelines.watch.evidently_samples import Compare
    from pipelines.watch.families import Tested
    from pipelines.watch.sides import ChampionReference, Labelled, Rows

    Array = NDArray[Any]

log = logging.getLogger("perennial")

_NAMED = 5
"""Inputs that a note names."""
_NOT = "not compared"
_ONE_VALUE = "one and the same value on both sides"


@dataclass(frozen=True)
class Look:
    """What was found, and Evidently's page (HTML); None where it was not asked."""

    facts: DriftFacts
    evidently: bytes | None


def look(
    rules: Drift,
    window: Rows,
    labelled: Labelled | None,
    champion: ChampionReference,
    *,
    seed: int,
    with_page: bool = True,
) -> Look:
    """Return what is found in the window, and Evidently's page of it where that is wanted.

    Raises nothing for odd data: an exception is named in `facts.error`.
    """
    rows = 0
    try:
        rows = size(window)
        return _compare_window(
            rules, window, labelled, champion, rows=rows, seed=seed, with_page=with_page
        )
    except MemoryError:
        raise  # says nothing of the data: the step dies and is tried again
    except Exception as error:
        log.exception("the look at the window failed")
        words = " ".join(str(error).split())[:WORDS] or "no words"
        return Look(
            DriftFacts(
                rows, error=f"the look at the window failed with {type(error).__name__}: {words}"
            ),
            None,
        )


def _compare_window(
    rules: Drift,
    window: Rows,
    labelled: Labelled | None,
    champion: ChampionReference,
    *,
    rows: int,
    seed: int,
    with_page: bool,
) -> Look:
    if rows == 0:
        return Look(DriftFacts(0), None)
    window_check = check(rules, window, labelled, champion)
    columns = _blank_columns(rules, champion, window_check)
    facts = DriftFacts(rows, broken=window_check.broken, columns=columns, notes=window_check.notes)
    if window_check.broken or rows < rules.min_rows:
        return Look(facts, None)
    if not is_known(champion.metric) or find_metric(champion.metric).needs_truth:
        facts = with_performance(facts, rules, labelled, champion, seed=seed)
    # What cannot be scored cannot be compared row by row either, and is named by now.
    scored = None if facts.broken else labelled
    tested = find_testable(rules, window, scored, champion, [c.name for c in facts.columns])
    facts = with_flags(facts, rules, window, champion, families=tested.count, seed=seed)
    if champion.task == "forecast" and labelled is not None:
        bias = bias_of(labelled.y, labelled.p, labelled.event_times, champion.span)
        facts = facts.with_note(bias.in_words) if bias else facts
    found = find_all(rules, tested, champion, seed=seed)
    facts = replace(facts, changes=found.changes, whole=found.whole, matched=found.words)
    return _with_scores(facts, rules, tested, champion, seed=seed, with_page=with_page)


def _blank_columns(
    rules: Drift, champion: ChampionReference, window_check: CheckedWindow
) -> list[ColumnFact]:
    """Return the inputs with their missing shares and rules, before anything is compared."""
    facts = []
    for column in watched_inputs(champion.schema):
        shares = window_check.missing.get(column.name)
        if shares is not None:
            facts.append(_blank(column.name, rule_of(rules, column), shares))
    return facts


def _blank(name: str, rule: Rule, missing: tuple[float, float]) -> ColumnFact:
    """Return what is known of a column before it is compared."""
    return ColumnFact(
        name,
        rule.method,
        threshold=None,
        score=None,
        drifted=False,
        missing=missing[0],
        missing_reference=missing[1],
        problem=_NOT,
        own=rule.threshold,
    )


def _with_scores(
    facts: DriftFacts,
    rules: Drift,
    tested: Tested,
    champion: ChampionReference,
    *,
    seed: int,
    with_page: bool,
) -> Look:
    """Return the facts with the distances of the inputs and of the predictions, what the tests say
    of each, and Evidently's page where it is wanted.
    """
    names = [c.name for c in facts.columns]
    pairs = {pair.name: pair for pair in input_pairs(rules, tested)}
    answers = prediction_pair(rules, tested, champion, names)
    few = {p.name: words for p in pairs.values() if (words := why_too_few(p, rules))}
    still = {n: _ONE_VALUE for n, p in pairs.items() if n not in few and is_constant(p)}
    if few:
        examples = [f"{name} ({words})" for name, words in few.items()][:_NAMED]
        facts = facts.with_note(
            "not compared: "
            + ", ".join(examples)
            + (f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""),
        )
    why = few | still
    by_family = {f.family: f for f in facts.families}
    columns = []
    for fact in facts.columns:
        scored = (
            replace(fact, problem=why[fact.name])
            if fact.name in why
            else _with_score(fact, pairs[fact.name], seed)
        )
        for family in ("missing", "inputs"):
            scored = _with_family(scored, by_family.get(family), fact.name)
        columns.append(scored)
    facts = replace(facts, columns=columns)
    if answers is not None:
        blank = _blank("predictions", rules.predictions, (0.0, 0.0))
        scored = _with_score(blank, spread_out(answers, seed), seed)
        scored = _with_family(scored, by_family.get("predictions"), "predictions")
        facts = replace(facts, predictions=scored)
    if not with_page:
        return Look(facts, None)
    return _with_page(facts, rules, [p for n, p in pairs.items() if n not in why], answers, seed)


def _with_score(fact: ColumnFact, pair: Compare, seed: int) -> ColumnFact:
    """Return the fact with its distance, over all rows."""
    pair = pair if pair.text else break_ties(pair, seed)
    score, why = _distance(pair)
    if not np.isfinite(score):
        why = _ONE_VALUE if is_constant(pair) else why
        return replace(fact, problem=why or f"{fact.method} is not defined on these values")
    score = float(f"{score:.9g}")
    passed = pair.rule.passed(score)
    return replace(fact, score=score, problem="", passed=passed, drifted=passed)


def _distance(pair: Compare) -> tuple[float, str]:
    """Return the distance, or NaN and why there is none.

    Numbers so near to each other, or so far from 0, that no bins lie between them are moved to 0.
    """
    words = ""
    for ready in [pair] if pair.text else [pair, move_to_zero(pair)]:
        try:
            return distance(ready.rule.method, ready.reference, ready.window, text=ready.text), ""
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            words = words or f"no {pair.rule.method}: {' '.join(str(error).split())[:200]}"
    return float("nan"), words


def _with_family(fact: ColumnFact, family: FamilyChange | None, name: str) -> ColumnFact:
    """Return the fact with what a family says of the column, where that says more than is known."""
    found = [c for c in family.columns if c.name == name] if family else []
    told = with_test(fact, found, family)
    if family is not None and family.family == "missing":
        # The distance is of the values that are there; so is its threshold.
        told = replace(told, threshold=None)
        if not any(c.changed for c in found):
            return fact
    if fact.p_value is not None and (told.p_value is None or fact.p_value < told.p_value):
        return replace(told, p_value=fact.p_value, seen_by=fact.seen_by)
    return told


def _with_page(
    facts: DriftFacts, rules: Drift, pairs: list[Compare], answers: Compare | None, seed: int
) -> Look:
    """Return the facts with Evidently's page, which says of each column what the facts say.

    Where Evidently fails there is no page, and a note says so: nothing is decided by it.
    """
    if not pairs and answers is None:
        return Look(facts, None)
    by_name = {c.name: c for c in facts.columns}
    shown = [replace(p, times=_times(by_name[p.name])) for p in pairs]
    if answers is not None and facts.predictions is not None:
        answers = replace(answers, times=_times(facts.predictions))
    try:
        scores, page = evidently_run.run(shown, answers, share=rules.share, seed=seed)
    except MemoryError:
        raise
    except Exception as error:
        log.exception("Evidently's page could not be made")
        words = " ".join(str(error).split())[:WORDS]
        return Look(facts.with_note(f"there is no page of Evidently's: {words}"), None)
    failed = {name: score.problem for name, score in scores.items() if score.problem}
    if failed:
        examples = "; ".join(f"{n}: {words}" for n, words in list(failed.items())[:_NAMED])
        facts = facts.with_note(f"not on Evidently's page, which cannot compare them: {examples}")
    return Look(facts, page or None)


def _times(fact: ColumnFact) -> float:
    """Return how many times its threshold a column is beyond: above 1 where it has drifted."""
    far = strength(fact) if fact.threshold is not None else 0.0
    return max(far, 1.0001) if fact.drifted else min(far, 0.9999)
