"""What a champion promised, held against a window: its metric, the share of rows that it flags."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.plurals import how_many
from pipelines.science.anomaly import flag_rate
from pipelines.science.live_performance import measure_performance, uncertainty
from pipelines.science.metrics import why_undefined
from pipelines.science.own_metrics import RowMetric
from pipelines.tasks import finds_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.drift_facts import DriftFacts
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.spec.drift import Drift
    from pipelines.watch.sides import ChampionReference, Labelled, Rows

    Array = NDArray[Any]


log = logging.getLogger("perennial")

WORDS = 400
"""Characters of an exception's words that the facts keep."""


def with_flags(
    facts: DriftFacts,
    rules: Drift,
    window: Rows,
    champion: ChampionReference,
    *,
    families: int,
    seed: int,
) -> DriftFacts:
    """Return the facts with the share of the window's rows that an anomaly model flags.

    A kept promise is called broken in at most its part of `rules.false_alarms` of the windows:
    `families` share it.
    """
    if champion.rate is None or len(window.predictions) < rules.min_rows:
        return facts
    flags = flag_rate(
        np.asarray(window.predictions, dtype=np.float64) > champion.threshold,
        champion.rate,
        calibrated_on=champion.calibrated_on,
        confidence=1 - rules.false_alarms / max(families, 1),
        seed=seed,
        event_times=window.event_times,
        span=champion.span,
    )
    return replace(facts, flags=flags)


def with_performance(
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
    has_labels = not finds_classes(champion.task)
    if labelled is None or rows < rules.min_rows:
        few = (
            how_many(rows, "row has a label", "rows have labels")
            if has_labels
            else how_many(
                rows, "row was answered by the champion", "rows were answered by the champion"
            )
        )
        return facts.with_note(
            f"no verdict on performance: {few}, {rules.min_rows:,} are needed (min_rows)"
        )
    these = how_many(rows, "labelled row" if has_labels else "row")
    try:
        metric = champion.measure(labelled) if champion.measure else champion.metric
        performance = measure_performance(
            metric,
            labelled.y,
            labelled.p,
            event_times=labelled.event_times,
            span=champion.span,
            expected=champion.expected,
            rule=rules.performance,
            seed=seed,
            threshold=champion.threshold,
            uncertain=_uncertain(metric, champion, rules, seed),
        )
    except MemoryError:
        raise
    except Exception as error:
        log.exception("the champion's live metric could not be computed")
        words = (
            f"{champion.metric} of the {these} could not be computed:"
            f" {type(error).__name__}: {error}"
        )
        return replace(facts, broken=[*facts.broken, words[:WORDS]])
    if not np.isfinite(performance.live):
        why = why_undefined(metric, labelled.y, labelled.p)
        return facts.with_note(
            f"no verdict on performance: {champion.metric} is not defined on the {these}: {why}"
        )
    facts = replace(facts, performance=replace(performance, needs_labels=has_labels))
    if performance.expected is None:
        return facts.with_note(
            f"no verdict on performance: the champion's bundle holds no {champion.metric} to"
            " compare with",
        )
    if performance.good_end is None:
        alike = f"the {these} are too alike for an interval of {champion.metric}"
        few = f"{performance.untold}; look at more (drift.window)"
        return facts.with_note(f"no verdict on performance: {few if performance.untold else alike}")
    return facts


def _uncertain(
    metric: AnyMetric, champion: ChampionReference, rules: Drift, seed: int
) -> tuple[float, float]:
    """Return what chance may have done to the promised score; nothing where it cannot be told."""
    held = champion.held
    if held is None or isinstance(metric, RowMetric) or champion.expected is None:
        return 0.0, 0.0
    return uncertainty(
        metric,
        held.y,
        held.p,
        event_times=None if np.isnat(held.event_times).any() else held.event_times,
        span=champion.span,
        confidence=rules.performance.confidence,
        seed=seed,
        threshold=champion.threshold,
    )
