"""The share of rows that an anomaly model flags in a window, against the one that it promises."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.science.anomaly import flag_rate
from pipelines.science.drift import decide
from pipelines.science.drift_facts import ColumnFact, DriftFacts
from pipelines.watch.comparison import look
from pipelines.watch.sides import Rows
from tests.unit.watch.windows import RULES, champion, table, times

RATE = 0.05
PROMISE = "flag_rate_error_at_5_percent"
CALM = ColumnFact("delay", "wasserstein", 0.1, 0.01, drifted=False, missing=0, missing_reference=0)


def facts(share, rows=1_000):
    flags = flag_rate(
        np.arange(rows) < share * rows, RATE, calibrated_on=5_000, confidence=0.95, seed=0
    )
    return DriftFacts(rows, columns=[CALM], flags=flags)


def test_a_kept_promise_is_no_drift_and_is_told():
    decision = decide(facts(0.05), RULES)
    assert decision.verdict == "no_drift"
    assert "50 of 1,000 rows (5.00%) are flagged" in decision.reasons[0]


def test_more_flagged_rows_call_a_person_and_fewer_are_drift():
    more = decide(facts(0.12), RULES)
    assert more.verdict == "alarm", "a retraining would learn from the anomalies"
    assert "no score tells which" in more.reasons[0]
    fewer = decide(facts(0.005), RULES)
    assert fewer.verdict == "drift"
    assert "the threshold is too high" in fewer.reasons[0]


@pytest.fixture
def watching():
    """An anomaly model whose scores are normal, flagged above the 95th percentile."""
    scores = np.random.default_rng(99).normal(size=2_000)
    found = champion(predictions=scores, metric=PROMISE, expected=0.0, task="anomaly")
    return replace(found, threshold=1.645, rate=RATE, calibrated_on=5_000)


@pytest.mark.parametrize(("shift", "kept"), [(0.0, True), (0.8, False)])
def test_the_look_counts_the_flagged_rows_of_a_window(watching, shift, kept):
    scores = np.random.default_rng(4).normal(shift, 1, 800)
    rows = Rows(table(800, 1), scores, event_times=times(800))
    found = look(RULES, rows, None, watching, seed=0, with_page=False)
    assert found.facts.error == ""
    assert found.facts.flags.is_kept is kept
    assert found.facts.flags.flagged == int((scores > 1.645).sum())
    assert not any("no verdict on performance" in note for note in found.facts.notes)


def test_a_model_that_promises_no_rate_has_no_share_of_flags():
    rows = Rows(table(800, 1), np.random.default_rng(4).beta(2, 6, 800), event_times=times(800))
    assert look(RULES, rows, None, champion(), seed=0, with_page=False).facts.flags is None
