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

from pipelines.science.anomaly import flag_rate
from pipelines.science.drift import ColumnFact, DriftFacts, measure_performance
from pipelines.science.metrics import why_undefined
from pipelines.science.residuals import bias_of
from pipelines.spec.metrics import find_metric, is_known
from pipelines.tasks import has_named_classes
from pipelines.watch import evidently_run
from pipelines.watch.evidently_run import (
    LEAST,
    ROWS,
    UNDEFINED_ON_A_CONSTANT,
    Compare,
    sample_positions,
)
from pipelines.watch.preconditions import (
    CheckedWindow,
    check,
    numbers,
    rule_of,
    size,
    textual,
    watched_inputs,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipelines.bundle.schema import Column
    from pipelines.spec.drift import Drift, Rule
    from pipelines.watch.evidently_run import Score
    from pipelines.watch.sides import ChampionReference, Labelled, Rows

    Array = NDArray[Any]

log = logging.getLogger("perennial")

_WORDS = 400
"""Characters of an exception's words that the facts keep."""
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
        words = " ".join(str(error).split())[:_WORDS] or "no words"
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
    facts = _with_flags(facts, rules, window, champion, seed=seed)
    if not is_known(champion.metric) or find_metric(champion.metric).needs_truth:
        facts = _with_performance(facts, rules, labelled, champion, seed=seed)
    if champion.task == "forecast" and labelled is not None:
        bias = bias_of(labelled.y, labelled.p, labelled.event_times)
        facts = _with_note(facts, bias.in_words) if bias else facts
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


def _with_flags(
    facts: DriftFacts, rules: Drift, window: Rows, champion: ChampionReference, *, seed: int
) -> DriftFacts:
    """Return the facts with the share of the window's rows that an anomaly model flags.

    A kept promise is called broken in at most `rules.false_alarms` of the windows.
    """
    if champion.rate is None or len(window.predictions) < rules.min_rows:
        return facts
    flags = flag_rate(
        np.asarray(window.predictions, dtype=np.float64) > champion.threshold,
        champion.rate,
        calibrated_on=champion.calibrated_on,
        confidence=1 - rules.false_alarms,
        seed=seed,
        event_times=window.event_times,
    )
    return replace(facts, flags=flags)


def _with_performance(
    facts: DriftFacts,
    rules: Drift,
    labelled: Labelled | None,
    champion: ChampionReference,
    *,
    seed: int,
) -> DriftFacts:
    """Return the facts with the champion's live metric, or with a note that says why there is
    none.
    """
    rows = len(labelled.y) if labelled is not None else 0
    if labelled is None or rows < rules.min_rows:
        return _with_note(
            facts,
            f"no verdict on performance: {rows:,} rows have labels, {rules.min_rows:,} are needed"
            " (min_rows)",
        )
    try:
        performance = measure_performance(
            champion.measure(labelled) if champion.measure else champion.metric,
            labelled.y,
            labelled.p,
            event_times=labelled.event_times,
            expected=champion.expected,
            rule=rules.performance,
            seed=seed,
            threshold=champion.threshold,
        )
    except MemoryError:
        raise
    except Exception as error:
        log.exception("the champion's live metric could not be computed")
        words = (
            f"{champion.metric} of the {rows:,} labelled rows could not be computed:"
            f" {type(error).__name__}: {error}"
        )
        return replace(facts, broken=[*facts.broken, words[:_WORDS]])
    if not np.isfinite(performance.live):
        why = why_undefined(champion.metric, labelled.y, labelled.p)
        return _with_note(
            facts,
            f"no verdict on performance: {champion.metric} is not defined on the {rows:,} labelled"
            f" rows: {why}",
        )
    facts = replace(facts, performance=performance)
    if performance.expected is None:
        return _with_note(
            facts,
            f"no verdict on performance: the champion's bundle holds no {champion.metric} to"
            " compare with",
        )
    if performance.good_end is None:
        return _with_note(
            facts,
            f"no verdict on performance: the {rows:,} labelled rows are too alike for an interval"
            f" of {champion.metric}",
        )
    return facts


def _with_note(facts: DriftFacts, note: str) -> DriftFacts:
    return replace(facts, notes=[*facts.notes, note])


def _with_scores(
    facts: DriftFacts, rules: Drift, window: Rows, champion: ChampionReference, *, seed: int
) -> Look:
    """Return the facts with Evidently's scores of the inputs and of the predictions, and its
    page.
    """
    pairs, facts = _pairs(facts, rules, window, champion, seed=seed)
    predictions, facts = _answers(facts, rules, window, champion, seed=seed)
    few = {p.name: words for p in pairs if (words := _too_few(p, rules))}
    still = {p.name: _ONE_VALUE for p in pairs if p.name not in few and _constant(p)}
    if few:
        examples = [f"{name} ({words})" for name, words in few.items()][:_NAMED]
        facts = _with_note(
            facts,
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


def _pairs(
    facts: DriftFacts, rules: Drift, window: Rows, champion: ChampionReference, *, seed: int
) -> tuple[list[Compare], DriftFacts]:
    """Return the inputs of both sides, sampled where there are too many rows; a note says so."""
    tables = []
    for what, table in (
        ("the window", window.inputs),
        ("the champion's training data", champion.reference.inputs),
    ):
        rows = sample_positions(table.num_rows, seed)
        tables.append(table if rows is None else table.take(rows))
        if rows is not None:
            facts = _with_note(
                facts,
                f"Evidently saw a sample of {ROWS:,} of the {table.num_rows:,} rows of {what};"
                " missing values are of all",
            )
    reference = champion.reference.inputs.num_rows
    if facts.columns and reference < rules.min_rows:
        facts = _with_note(
            facts,
            f"the champion's training data are {reference:,} rows only: scores vary more than the"
            " thresholds expect",
        )
    by_name = {c.name: c for c in watched_inputs(champion.schema)}
    names = [c.name for c in facts.columns]
    return [
        Compare(
            n,
            rule_of(rules, by_name[n]),
            textual(by_name[n].kind),
            *(_values(by_name[n], t) for t in tables),
        )
        for n in names
    ], facts


def _answers(
    facts: DriftFacts, rules: Drift, window: Rows, champion: ChampionReference, *, seed: int
) -> tuple[Compare | None, DriftFacts]:
    """Return the predictions of both sides under a name that no input has.

    None, with a note, where the bundle holds none.
    """
    if not len(champion.reference.predictions):
        return None, _with_note(
            facts,
            "the predictions are not compared: the champion's bundle holds none of its holdout",
        )
    if len(window.predictions) < rules.min_rows:
        few = (
            f"{len(window.predictions):,} of the window's rows were answered by the champion,"
            f" {rules.min_rows:,} are needed (min_rows)"
        )
        return None, _with_note(facts, f"the predictions are not compared: {few}")
    text = has_named_classes(champion.task)
    sides = []
    for predictions in (window.predictions, champion.reference.predictions):
        rows = sample_positions(len(predictions), seed)
        sides.append(
            np.asarray(
                predictions if rows is None else predictions[rows],
                dtype=object if text else np.float64,
            )
        )
    name = "predictions"
    while any(c.name == name for c in facts.columns):
        name += "_"
    return Compare(name, rules.predictions, text, *sides), facts


def _values(column: Column, table: pa.Table) -> Array:
    """Return an input as it is compared.

    Float64 with NaN, or an object array of texts with None.
    """
    import pyarrow as pa

    values = table[column.name]
    if not textual(column.kind):
        return numbers(values)
    texts = np.empty(len(values), dtype=object)
    texts[:] = values.cast(pa.string()).to_pylist()
    return texts


def _present(values: Array) -> Array:
    return (
        values[[v is not None for v in values]]
        if values.dtype == object
        else values[~np.isnan(values)]
    )


def _too_few(pair: Compare, rules: Drift) -> str:
    """Return why an input cannot be compared: on one side hardly any row has a value.

    "" where it can.

    Half of what a verdict needs is enough, or a window of just that many rows would lose an input
    with its first null.
    """
    least = LEAST.get(pair.rule.method, 1)
    for values, where in (
        (pair.window, "the window"),
        (pair.reference, "the champion's training data"),
    ):
        present = len(_present(values))
        if not present:
            return f"no value in {where}"
        if 2 * present < min(rules.min_rows, len(values)):
            return f"{present:,} of {len(values):,} rows of {where} have a value"
        if present < least:
            return f"{present:,} value in {where}, and {pair.rule.method} needs {least}"
    return ""


def _constant(pair: Compare) -> bool:
    """Tell whether both sides hold one value only, and the same, and the method says nothing of
    that.

    Asked before Evidently is: of such sides some methods give no score, and one of them raises.
    """
    if pair.rule.method not in UNDEFINED_ON_A_CONSTANT:
        return False
    first = _present(pair.reference)[0]
    return all(bool((_present(side) == first).all()) for side in (pair.window, pair.reference))


def _with_score(fact: ColumnFact, pair: Compare, score: Score) -> tuple[ColumnFact, list[str]]:
    """Return the fact with its score, and what is broken where there is none."""
    if np.isfinite(score.value):
        return replace(fact, score=score.value, drifted=score.drifted, problem=""), []
    if _constant(pair):
        return replace(fact, problem=_ONE_VALUE), []
    why = score.problem or "it is not a number"
    words = f"Evidently gives no score for {fact.name} by {fact.method}: {why}"
    return replace(fact, problem=words), [words]
