"""The look at a window: what was served there, against what the champion learnt from and promised.

`look` answers for any data. What is broken in them is named in the facts, and so is an exception of
the look itself, which is an alarm and never "no drift": Evidently raises for some data and calls
others unchanged (a missing column, infinite values, 90 % of NaN), which is why schema, missing
values and finiteness are checked before it is asked.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.drift_facts import ColumnFact, DriftFacts
from pipelines.science.residuals import bias_of
from pipelines.spec.metrics import find_metric, is_known
from pipelines.watch import evidently_run
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

    from pipelines.spec.drift import Drift, Rule
    from pipelines.watch.evidently_run import Score
    from pipelines.watch.evidently_samples import Compare
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
    rules: Drift, window: Rows, labelled: Labelled | None, champion: ChampionReference, *, seed: int
) -> Look:
    """Return what is found in the window.

    Raises nothing for odd data: an exception is named in `facts.error`.
    """
    rows = 0
    try:
        rows = size(window)
        return _compare_window(rules, window, labelled, champion, rows=rows, seed=seed)
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
) -> Look:
    if rows == 0:
        return Look(DriftFacts(0), None)
    window_check = check(rules, window, labelled, champion)
    columns = _blank_columns(rules, champion, window_check)
    facts = DriftFacts(rows, broken=window_check.broken, columns=columns, notes=window_check.notes)
    if window_check.broken or rows < rules.min_rows:
        return Look(facts, None)
    facts = with_flags(facts, rules, window, champion, seed=seed)
    if not is_known(champion.metric) or find_metric(champion.metric).needs_truth:
        facts = with_performance(facts, rules, labelled, champion, seed=seed)
    if champion.task == "forecast" and labelled is not None:
        bias = bias_of(labelled.y, labelled.p, labelled.event_times, champion.span)
        facts = facts.with_note(bias.in_words) if bias else facts
    return _with_scores(facts, rules, window, champion, seed=seed)


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
        rule.threshold,
        score=None,
        drifted=False,
        missing=missing[0],
        missing_reference=missing[1],
        problem=_NOT,
    )


def _with_scores(
    facts: DriftFacts, rules: Drift, window: Rows, champion: ChampionReference, *, seed: int
) -> Look:
    """Return the facts with Evidently's scores of the inputs and of the predictions, and its
    page.
    """
    pairs, facts = input_pairs(facts, rules, window, champion, seed=seed)
    predictions, facts = prediction_pair(facts, rules, window, champion, seed=seed)
    few = {p.name: words for p in pairs if (words := why_too_few(p, rules))}
    still = {p.name: _ONE_VALUE for p in pairs if p.name not in few and is_constant(p)}
    if few:
        examples = [f"{name} ({words})" for name, words in few.items()][:_NAMED]
        facts = facts.with_note(
            "not compared: "
            + ", ".join(examples)
            + (f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""),
        )
    reasons = few | still
    comparable = [p for p in pairs if p.name not in reasons]
    if not comparable and predictions is None:
        return Look(
            replace(facts, columns=[_with_reason(fact, reasons) for fact in facts.columns]), None
        )
    scores, page = evidently_run.run(comparable, predictions, share=rules.share, seed=seed)
    by_name = {p.name: p for p in comparable}
    columns, faults = [], list(facts.broken)
    for fact in facts.columns:
        result, wrong = (
            _with_score(fact, by_name[fact.name], scores[fact.name])
            if fact.name in by_name
            else (fact, [])
        )
        columns.append(_with_reason(result, reasons))
        faults += wrong
    facts = replace(facts, columns=columns)
    if predictions is not None:
        blank = _blank("predictions", rules.predictions, (0.0, 0.0))
        result, wrong = _with_score(blank, predictions, scores[predictions.name])
        facts, faults = replace(facts, predictions=result), faults + wrong
    return Look(replace(facts, broken=faults), page or None)


def _with_reason(fact: ColumnFact, why: dict[str, str]) -> ColumnFact:
    """Return the fact with the reason why Evidently was not asked, where there is one."""
    return replace(fact, problem=why[fact.name]) if fact.name in why else fact


def _with_score(fact: ColumnFact, pair: Compare, score: Score) -> tuple[ColumnFact, list[str]]:
    """Return the fact with its score, and what is broken where there is none."""
    if np.isfinite(score.value):
        return replace(fact, score=score.value, drifted=score.drifted, problem=""), []
    if is_constant(pair):
        return replace(fact, problem=_ONE_VALUE), []
    why = score.problem or "it is not a number"
    words = f"Evidently gives no score for {fact.name} by {fact.method}: {why}"
    return replace(fact, problem=words), [words]
