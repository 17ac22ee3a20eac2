"""The share of decisions that would change, its interval, and the limit that it may have."""

from __future__ import annotations

import numpy as np

from pipelines.science.gate.flips import FlipFacts, check_flips, find_flips, measure_flips
from pipelines.science.pieces import pieces_of
from pipelines.spec.gate_checks import Flips
from tests.unit.science.gate.facts import GATE

DAYS, ROWS = 30, 100


def facts(share=0.1, days=DAYS):
    n = days * ROWS
    rng = np.random.default_rng(2)
    changed = rng.random(n) < share
    times = np.datetime64("2026-01-01", "s") + np.arange(n) * (86_400 // ROWS)
    slices = {"first half": np.arange(n) < n // 2, "nobody": np.zeros(n, dtype=bool)}
    whole, parts = measure_flips(changed, slices, pieces_of(times, None))
    return FlipFacts(whole, parts, (("visit 3", "0.2 would become 0.9"),)), changed


def check(found, **rule):
    (one,) = check_flips(found, GATE.model_copy(update={"flips": Flips(**rule)}))
    return one


def test_the_share_is_a_count_with_an_interval_that_holds_it():
    found, changed = facts()
    assert found.whole.share == changed.mean()
    assert found.whole.low < changed.mean() < found.whole.high
    assert found.whole.high - found.whole.low < 0.05
    assert found.parts[0].share == changed[: len(changed) // 2].mean()
    assert (found.parts[1].rows, np.isnan(found.parts[1].share)) == (0, True)


def test_without_a_limit_it_is_told_and_with_one_it_refuses():
    found, changed = facts()
    assert check(found).passed
    refused = check(found, most=0.05)
    assert not refused.passed
    assert (refused.value, refused.limit) == (changed.mean(), 0.05)
    assert "decisions fewer that change, or gate.flips.most: 0." in refused.would_pass
    assert check(found, most=changed.mean()).passed


def test_slices_and_examples_are_parts():
    shares, examples = find_flips(facts()[0], GATE.model_copy(update={"flips": Flips()}))
    assert [f.name for f in shares.findings] == ["all rows", "first half", "nobody"]
    assert shares.findings[2].value is None
    assert examples.findings[0].detail == "0.2 would become 0.9"


def test_few_days_have_no_interval_without_champion_nothing_changes_and_unknown_refuses():
    assert np.isnan(facts(days=5)[0].whole.low)
    assert "no champion answers" in check(FlipFacts(), most=0.1).detail
    for nothing in (None, FlipFacts(error="no column")):
        assert not check(nothing).passed
    assert check_flips(None, GATE) == []
