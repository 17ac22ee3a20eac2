"""The comparison of two models.

Right in both directions, deterministic, and honest about chance.
"""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.bootstrap import compare, spread, two_sided
from pipelines.science.metrics import better_by, score
from pipelines.science.pieces import pieces_of_times
from pipelines.spec.metrics import find_metric, metrics_for

RNG = np.random.default_rng(11)


def _times(n, days):
    return np.datetime64("2026-01-01", "us") + (np.arange(n) * (days * 86_400_000_000 // n)).astype(
        "timedelta64[us]"
    )


def _compare(metric, y, one, other, times, seed=1, confidence=0.95):
    return compare(
        metric,
        y,
        challenger=one,
        opponent=other,
        event_times=times,
        confidence=confidence,
        seed=seed,
    )


N = 1_500
TIMES = _times(N, 30)
Y = RNG.integers(0, 2, N)
GOOD = np.clip(0.5 + 0.25 * (Y - 0.5) + RNG.normal(0, 0.15, N), 0, 1)
POOR = np.clip(0.5 + 0.05 * (Y - 0.5) + RNG.normal(0, 0.15, N), 0, 1)
CLASS = RNG.integers(0, 3, N)
SHARP = np.full((N, 3), 0.2) + 0.4 * np.eye(3)[CLASS]
BLUNT = RNG.dirichlet([5, 5, 5], N)
VALUE = RNG.normal(10, 3, N)
NEAR, FAR = VALUE + RNG.normal(0, 1, N), VALUE + RNG.normal(0, 2, N)

# a model may tell well and yet not say how sure it is: what is calibrated is good here
CHANCES = RNG.uniform(0.05, 0.95, N)
DRAWN = (RNG.random(N) < CHANCES).astype(int)
EXTREME = np.clip(CHANCES * 3 - 1, 0, 1)
THREE = RNG.dirichlet([2, 2, 2], N)
DRAWN_OF_THREE = (RNG.random((N, 1)) > THREE.cumsum(axis=1)).sum(axis=1).clip(max=2)
EXTREME_THREE = THREE**4 / (THREE**4).sum(axis=1, keepdims=True)

SURE = "calibration_error"
CASES = [(m, Y, GOOD, POOR) for m in metrics_for("binary") if m != SURE]
CASES += [(m, CLASS, SHARP, BLUNT) for m in metrics_for("multiclass") if m != SURE]
CASES += [(SURE, DRAWN, CHANCES, EXTREME), (SURE, DRAWN_OF_THREE, THREE, EXTREME_THREE)]
CASES += [(m, VALUE, NEAR, FAR) for m in metrics_for("regression")]


@pytest.mark.parametrize(("metric", "y", "good", "poor"), CASES)
def test_the_better_model_is_found_and_never_the_worse_one(metric, y, good, poor):
    comparison, turned = (
        _compare(metric, y, good, poor, TIMES),
        _compare(metric, y, poor, good, TIMES),
    )
    assert comparison.lower > 0
    assert comparison.p_better > 0.95
    assert comparison.difference > comparison.lower
    assert turned.lower < 0
    assert turned.difference == pytest.approx(-comparison.difference)
    assert (comparison.challenger, comparison.opponent) == (
        score(metric, y, good),
        score(metric, y, poor),
    )
    assert (comparison.difference > 0) == (
        (comparison.challenger > comparison.opponent) == find_metric(metric).greater_is_better
    )


def test_a_model_is_not_better_than_itself():
    comparison = _compare("roc_auc", Y, GOOD, GOOD, TIMES)
    assert (comparison.difference, comparison.lower, comparison.p_better) == (0, 0, 0)


def test_the_seed_fixes_the_draws():
    assert _compare("roc_auc", Y, GOOD, POOR, TIMES) == _compare("roc_auc", Y, GOOD, POOR, TIMES)
    assert _compare("roc_auc", Y, GOOD, POOR, TIMES) != _compare(
        "roc_auc", Y, GOOD, POOR, TIMES, seed=2
    )


def test_more_confidence_asks_for_more():
    assert (
        _compare("roc_auc", Y, GOOD, POOR, TIMES, confidence=0.99).lower
        < _compare("roc_auc", Y, GOOD, POOR, TIMES, confidence=0.8).lower
    )


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "brier"])
@pytest.mark.parametrize("unit", ["days", "rows"])
def test_resamples_are_those_of_repeated_blocks(metric, unit):
    """Scored by the plain way (rows repeated as their block was drawn), bound and share come out
    the same."""
    part = slice(0, N) if unit == "days" else slice(0, 40)
    y, good, poor, times = Y[part], GOOD[part], POOR[part], TIMES[part]
    block = pieces_of_times(times).of_row if unit == "days" else np.arange(40)
    count = block.max() + 1
    draws = np.random.default_rng(1).integers(0, count, (1_000, count))
    differences = []
    for row in draws:
        weights = np.bincount(row, minlength=count)[block]
        truth, one, other = (np.repeat(values, weights) for values in (y, good, poor))
        differences.append(
            better_by(metric, score(metric, truth, one), score(metric, truth, other))
        )
    cut = {"event_times": times} if unit == "days" else {"groups": block}
    comparison = compare(metric, y, challenger=good, opponent=poor, confidence=0.95, seed=1, **cut)
    assert (comparison.unit, comparison.blocks) == (unit, count)
    assert comparison.p_better == np.mean(np.array(differences) > 0)
    assert np.min(np.abs(np.array(differences) - comparison.lower)) < 1e-12


@pytest.mark.parametrize(
    ("y", "one"),
    [
        pytest.param(Y, np.full(N, np.nan), id="the challenger is NaN"),
        pytest.param(np.ones(N), GOOD, id="one class only"),
        pytest.param(Y[:1], GOOD[:1], id="one row"),
        pytest.param(Y[:0], GOOD[:0], id="no row"),
    ],
)
def test_what_cannot_be_compared_has_no_bound(y, one):
    comparison = _compare("roc_auc", y, one, POOR[: len(y)], TIMES[: len(y)])
    assert not comparison.lower > 0
    assert comparison.p_better == 0


def test_days_without_a_class_count_against_the_challenger():
    """A rare class: resamples that miss it are undefined, and the undefined is not a win."""
    y = np.zeros(N, dtype=int)
    y[:3] = 1
    comparison = _compare("roc_auc", y, np.where(y == 1, 0.9, 0.1), np.full(N, 0.5), TIMES)
    assert comparison.difference == 0.5
    assert comparison.lower == -np.inf


def test_of_equal_models_one_in_twenty_is_taken_for_better():
    """The stated rate holds.

    Two equally good models on days that are alike within, over many worlds.
    """
    wins, worlds = 0, 300
    times = _times(600, 25)
    day = pieces_of_times(times).of_row
    for world in range(worlds):
        rng = np.random.default_rng(world)
        y = rng.normal(0, 1, 600)
        shared = rng.normal(0, 0.5, 25)[day]
        one, other = (
            y + rng.normal(0, 1, 600) + shared,
            y + rng.normal(0, 1, 600) + rng.normal(0, 0.5, 25)[day],
        )
        wins += _compare("rmse", y, one, other, times, seed=world).lower > 0
    assert wins / worlds < 0.08


@pytest.mark.parametrize(("metric", "y", "good", "poor"), CASES)
def test_a_metric_lies_between_its_ends_the_good_one_being_the_better(metric, y, good, poor):
    interval = spread(metric, y, poor, event_times=TIMES, confidence=0.95, seed=1)
    assert interval.value == score(metric, y, poor)
    assert better_by(metric, interval.good_end, interval.value) > 0
    assert better_by(metric, interval.value, interval.bad_end) > 0
    assert better_by(metric, score(metric, y, good), interval.good_end) > 0
    assert (interval.blocks, interval.unit) == (30, "days")
    assert interval == spread(metric, y, poor, event_times=TIMES, confidence=0.95, seed=1)
    wider = spread(metric, y, poor, event_times=TIMES, confidence=0.99, seed=1)
    assert better_by(metric, wider.good_end, interval.good_end) > 0


def test_the_good_end_holds_the_truth_as_often_as_it_says():
    """200 windows of 20 days that differ in level.

    The true mean error lies beyond the good end in about 5 % of them.
    """
    rng, beyond = np.random.default_rng(7), 0
    for window in range(200):
        y = np.repeat(rng.normal(0, 1, 20), 10) + rng.normal(0, 1, 200)
        end = spread(
            "rmse", y, np.zeros(200), event_times=_times(200, 20), confidence=0.95, seed=window
        ).good_end
        beyond += end > np.sqrt(2)
    assert beyond / 200 <= 0.09


def test_a_metric_that_is_not_defined_has_no_ends_and_rare_draws_without_a_class_bound_nothing():
    nothing = spread("roc_auc", np.ones(N), GOOD, event_times=TIMES, confidence=0.95, seed=1)
    assert all(np.isnan(v) for v in (nothing.value, nothing.bad_end, nothing.good_end))
    one_positive = (np.arange(N) == 3).astype(int)
    rare = spread("roc_auc", one_positive, GOOD, event_times=TIMES, confidence=0.95, seed=1)
    assert rare.good_end == np.inf
    assert rare.bad_end == -np.inf
    assert (
        spread("mae", VALUE[:1], NEAR[:1], event_times=TIMES[:1], confidence=0.95, seed=1).blocks
        == 1
    )


def test_each_model_is_compared_at_its_own_threshold():
    halved = GOOD / 2
    same = compare(
        "accuracy",
        Y,
        challenger=halved,
        opponent=GOOD,
        event_times=TIMES,
        confidence=0.95,
        seed=1,
        challenger_threshold=0.25,
    )
    assert (same.challenger, same.difference, same.lower) == (same.opponent, 0, 0)
    at_half = spread("accuracy", Y, GOOD, event_times=TIMES, confidence=0.95, seed=1)
    moved = spread(
        "accuracy", Y, halved, event_times=TIMES, confidence=0.95, seed=1, threshold=0.25
    )
    assert at_half == moved


def test_rows_of_weight_zero_are_not_there():
    half = np.arange(N) % 2 == 0
    whole, part = (
        spread("rmse", y, p, event_times=times, confidence=0.95, seed=1, weights=weights)
        for y, p, times, weights in (
            (VALUE, NEAR, TIMES, half.astype(float)),
            (VALUE[half], NEAR[half], TIMES[half], None),
        )
    )
    assert (whole.value, whole.bad_end) == pytest.approx((part.value, part.bad_end))


def test_a_champion_that_calls_nothing_positive_can_be_beaten_in_precision():
    silent = compare(
        "precision",
        Y,
        challenger=GOOD,
        opponent=np.full(N, 0.2),
        event_times=TIMES,
        confidence=0.95,
        seed=1,
    )
    assert silent.opponent == 0
    assert silent.lower > 0.5
    turned = _compare("precision", Y, np.full(N, 0.2), GOOD, TIMES)
    assert np.isnan(turned.challenger)
    assert not turned.lower > 0
    broken = _compare("precision", Y, GOOD, np.full(N, np.nan), TIMES)
    assert not broken.lower > 0


def test_each_end_of_a_two_sided_interval_has_half_of_what_may_lie_outside():
    low, high = two_sided("rmse", VALUE, NEAR, event_times=TIMES, confidence=0.9, seed=1)
    ends = spread("rmse", VALUE, NEAR, event_times=TIMES, confidence=0.95, seed=1)
    assert (low, high) == (ends.good_end, ends.bad_end)
    assert low < ends.value < high


def test_a_gain_that_rises_with_what_a_recipe_learns_is_no_doubt_about_it():
    """From none to a large one within a month: without the rise, it is likeness of neighbours."""
    rng = np.random.default_rng(3)
    day = np.repeat(np.arange(30), 100)
    times = np.datetime64("2026-01-01", "us") + day * np.timedelta64(1, "D")
    truth = rng.normal(size=3_000)
    noise = rng.normal(size=3_000)
    learns = truth + noise * (1.5 - 1.4 * day / 29)
    stays = truth + 1.5 * rng.normal(size=3_000)
    asked = {
        "challenger": learns,
        "opponent": stays,
        "event_times": times,
        "confidence": 0.95,
        "seed": 1,
    }
    plain, rising = compare("rmse", truth, **asked), compare("rmse", truth, rises=True, **asked)
    assert rising.difference == plain.difference
    assert plain.as_many is not None
    assert 0 < rising.lower < rising.upper
    assert plain.lower < rising.lower
