"""From labelled rows to the verdict: a claim that fails is drift, in words and in figures."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np

from pipelines.science.own_metrics import Measures
from pipelines.watch.sides import Labelled
from tests.unit.watch.looks import look_without_page
from tests.unit.watch.windows import (
    ROWS,
    answers,
    champion,
    labelled,
    times,
    window,
)

LEVELS = [0.05, 0.5, 0.95]
NORMAL = np.array([-1.645, 0.0, 1.645])


def intervals(rows, seed, wide, days=30):
    """Outcomes, and answers at three levels that hold where outcomes are as wide as they were."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(50, 9, rows)
    return Labelled(middle + rng.normal(0, wide, rows), middle[:, None] + NORMAL, times(rows, days))


def test_intervals_that_cover_less_are_drift_that_says_how_much_less():
    held = intervals(2_000, 4, 1.0, days=60)
    against = champion(
        predictions=held.p[:, 1], metric="pinball", expected=0.2, task="quantiles", held=held
    )
    against = replace(
        against,
        schema=against.schema.model_copy(update={"levels": LEVELS}),
        measure=lambda _: Measures(levels=tuple(LEVELS)).find("pinball"),
    )
    quiet = intervals(ROWS, 5, 1.0)
    rows = window(predictions=quiet.p[:, 1])
    assert look_without_page(rows, labels=quiet, against=against)[1].verdict == "no_drift"
    found, decision = look_without_page(rows, labels=intervals(ROWS, 5, 1.35), against=against)
    assert decision.verdict == "drift"
    assert "90% intervals (0.05 to 0.95) cover 7" in decision.reasons[0]
    assert "they covered 8" in decision.reasons[0] or "they covered 9" in decision.reasons[0]
    told = json.loads(json.dumps(asdict(found.facts)))["changes"]["families"][-1]
    coverage = next(c for c in told["columns"] if c["method"] == "coverage")
    assert (coverage["changed"], coverage["nominal"]) == (True, 0.9)
    assert coverage["now"] < coverage["before"] - 0.05


def test_probabilities_that_are_too_high_are_drift_that_says_by_how_much():
    quiet = labelled()
    p = answers(ROWS, 1)
    fewer = np.random.default_rng(3).random(ROWS) < np.clip(1.6 * p - 0.15, 0, 1) * 0.6
    _, decision = look_without_page(window(), labels=replace(quiet, y=fewer.astype(int)))
    assert decision.verdict == "drift"
    assert "probabilities are too high by 0.0" in "; ".join(decision.reasons)
    assert look_without_page(window(), labels=quiet)[1].verdict == "no_drift"
