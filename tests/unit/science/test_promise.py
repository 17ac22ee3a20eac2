"""A promised coverage is refused where held-out rows disprove it, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.gate.blind_spots import find_blind_spot
from pipelines.science.promise import check_promise, promise_on_rows, promise_over_folds
from pipelines.spec.gate import Gate
from pipelines.spec.quantiles import Quantiles

PROMISED = Quantiles(levels=[0.05, 0.95], conformal={"tolerance": 0.02})


def on_rows(width, rows=600, quantiles=PROMISED):
    y = np.random.default_rng(1).uniform(-1, 1, rows)
    ends = np.tile([-width, width], (rows, 1))
    promise = promise_on_rows(
        quantiles, y, ends, event_times=None, groups=np.arange(rows), confidence=0.95, seed=1
    )
    return check_promise(promise)


def test_what_the_rows_do_not_disprove_is_kept():
    [check] = on_rows(0.9)
    assert check.passed
    assert "does not disprove the promised 0.9" in check.detail


def test_what_the_rows_disprove_is_refused_in_words():
    [check] = on_rows(0.7)
    assert not check.passed
    assert check.name == "promise"
    assert "breaks the promised 0.9" in check.detail
    assert "at least 0.880 is asked for" in check.detail


def test_few_rows_disprove_little():
    assert on_rows(0.8, rows=20)[0].passed
    assert not on_rows(0.8, rows=2_000)[0].passed


def test_who_promises_nothing_is_not_checked():
    assert on_rows(0.1, quantiles=Quantiles(levels=[0.05, 0.95])) == []


def test_what_cannot_be_measured_is_refused():
    [check] = on_rows(np.nan)
    assert not check.passed
    assert "could not be measured" in check.detail


@pytest.mark.parametrize(("coverage", "kept"), [(0.89, True), (0.7, False)])
def test_over_folds_their_spread_decides(coverage, kept):
    seen = coverage + np.tile([-0.01, 0.0, 0.01, 0.02, -0.02], 10)
    promise = promise_over_folds(PROMISED, seen, tested=0.25, freedom=None, confidence=0.95)
    [check] = check_promise(promise)
    assert check.passed == kept
    assert f"coverage {coverage:.3f}" in check.detail


def test_a_gate_that_sees_the_median_alone_is_told():
    rule = {"at_most": {"wape": 0.5}, "versus_champion": {"metric": "mae"}}
    assert "whether the levels are true" in find_blind_spot(Gate.model_validate(rule), "quantiles")
    rule["guards"] = {"interval_score": 0.05}
    assert find_blind_spot(Gate.model_validate(rule), "quantiles") == ""
