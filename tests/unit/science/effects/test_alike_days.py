"""By how much means of days differ by chance: by days that may be alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from pipelines.science.causes.blocks import block_rows
from pipelines.science.effects.alike_days import Days, cut_days, reach_of_means


def days(values, gaps=1):
    """A side whose days follow each other."""
    values = np.asarray(values, dtype=float)
    return Days(values - values.mean(), np.full(len(values) - 1, gaps))


def wander(memory, count, seed):
    """Days of which each keeps so much of the one before."""
    shocks = np.random.default_rng(seed).normal(size=count + 200)
    return lfilter([1.0], [1.0, -memory], shocks)[200:]


def welch(own, past):
    """How far the difference of two means of independent days may lie from 0, where the window's
    spread has two days' worth of the past's in it.
    """
    spreads = [side.var(ddof=1) for side in (own, past)]
    spreads[0] = (2 * spreads[1] + (len(own) - 1) * spreads[0]) / (len(own) + 1)
    parts = [spread / len(side) for spread, side in zip(spreads, (own, past), strict=True)]
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(side) - 1) for part, side in zip(parts, (own, past), strict=True)
    )
    return float(stats.t.ppf(0.975, freedom)) * sum(parts) ** 0.5


def test_days_without_a_time_are_independent_and_have_students_interval_by_welch():
    own, past = np.split(np.random.default_rng(1).normal(size=40), [10])
    sides = [Days(side - side.mean(), None) for side in (own, 3 * past)]
    found = reach_of_means(*sides, confidence=0.95)
    assert found.untold == ""
    assert found.reach == pytest.approx(welch(own, 3 * past))


def test_days_that_are_not_alike_are_hardly_less_sure_for_it():
    wider = []
    for seed in range(50):
        own, past = np.split(np.random.default_rng(seed).normal(size=90), [30])
        found = reach_of_means(days(own), days(past), confidence=0.95)
        wider.append(found.reach / welch(own, past))
        assert found.untold == ""
    assert 1.0 < np.median(wider) < 1.2


@pytest.mark.parametrize(("memory", "count", "past"), [(0.5, 10, 30), (0.7, 30, 60)])
def test_the_interval_holds_where_days_are_alike(memory, count, past):
    held, welchs = [], []
    for seed in range(300):
        values = wander(memory, count + past, seed)
        own, before = values[past:], values[:past]
        found = reach_of_means(days(own), days(before), confidence=0.95)
        change = abs(own.mean() - before.mean())
        welchs.append(change <= welch(own, before))
        if not found.untold:
            held.append(change <= found.reach)
    # 95 % less three standard errors of 300.
    assert np.mean(held) > 0.912
    assert np.mean(welchs) < 0.85


def test_few_days_that_wander_say_nothing_and_that_is_said():
    found = reach_of_means(days(wander(0.95, 10, 3)), days(np.linspace(0, 3, 30)), confidence=0.95)
    assert "the past's 30 hardly tell as much as" in found.untold
    assert "more than 5 are needed" in found.untold


def test_a_past_of_four_days_says_nothing():
    found = reach_of_means(days([0, 1, 0, 1, 0]), days([1, 0, 2, 1]), confidence=0.95)
    assert found.untold == "the past has 4 days, and 5 are needed"


def test_days_that_lie_far_apart_are_not_alike():
    own, past = np.split(wander(0.85, 70, 5), [10])
    near = reach_of_means(days(own), days(past), confidence=0.95)
    far = reach_of_means(days(own, 40), days(past, 40), confidence=0.95)
    assert far.reach < 0.7 * near.reach


def test_what_never_differs_changes_by_nothing_by_chance():
    times = np.datetime64("2024-01-01", "us") + np.arange(40) * np.timedelta64(1, "D")
    values, known = np.full(40, 0.1), np.ones(40, dtype=bool)
    side = cut_days(values, known, block_rows(times, 40), timed=True)
    assert reach_of_means(side, side, confidence=0.95).reach == 0.0
    # A side that never differs says nothing of how alike days are; the other one does.
    found = reach_of_means(side, days(wander(0.7, 60, 2)), confidence=0.95)
    assert found.reach > 0


def test_the_filter_is_the_likelihood_of_the_days_that_it_stands_for():
    own, past = (np.random.default_rng(seed).normal(size=12 * seed) for seed in (1, 2))
    gaps = [np.random.default_rng(9).integers(1, 4, len(side) - 1) for side in (own, past)]
    sides = [Days(s - s.mean(), g) for s, g in zip((own, past), gaps, strict=True)]
    found = reach_of_means(*sides, confidence=0.9)
    assert found.reach == pytest.approx(by_matrices(sides, 0.9), abs=1e-5)


def by_matrices(sides, confidence):
    """The same by inverted matrices: how plausible each likeness is, and Student's t by it."""
    told = []
    for stays, share, before in likenesses():
        plausible, spreads, shares = np.log(before), [], []
        for side in sides:
            count = len(side.values)
            place = np.concatenate([[0], np.cumsum(side.gaps)])
            like = share * stays ** np.abs(place[:, None] - place) + (1 - share) * np.eye(count)
            back, ones = np.linalg.inv(like), np.ones(count)
            centre = ones @ back @ side.values / (ones @ back @ ones)
            squares = (side.values - centre) @ back @ (side.values - centre)
            plausible -= np.linalg.slogdet(like)[1] / 2 + np.log(ones @ back @ ones) / 2
            plausible -= (count - 1) / 2 * np.log(squares)
            spreads.append(squares / (count - 1))
            shares.append((ones @ like @ ones) / count**2)
        own = len(sides[0].values) - 1
        spreads[0] = (2 * spreads[1] + own * spreads[0]) / (2 + own)
        variances = [a * b for a, b in zip(spreads, shares, strict=True)]
        freedom = sum(variances) ** 2 / sum(
            v**2 / (len(s.values) - 1) for v, s in zip(variances, sides, strict=True)
        )
        told.append((plausible, sum(variances) ** 0.5, freedom))
    logs, errors, freedoms = map(np.array, zip(*told, strict=True))
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    tries = np.linspace(0, 2, 200_001)
    beyond = sum(
        2 * w * stats.t.sf(tries / e, f) for w, e, f in zip(weights, errors, freedoms, strict=True)
    )
    return tries[np.argmax(beyond <= 1 - confidence)]


def likenesses():
    """The likenesses that are tried: six tenths of the belief are that there is none."""
    lasting = (0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 0.98)
    yield 0.0, 0.0, 0.6
    for stays in lasting:
        for share in (0.25, 0.5, 0.75, 1.0):
            yield stays, share, 0.4 * stays * share / (sum(lasting) * 2.5)


def test_days_are_cut_by_their_rows_and_days_without_known_rows_are_gaps():
    times = np.datetime64("2024-01-01T06:00", "us") + np.arange(5) * np.timedelta64(1, "D")
    times = np.repeat(times, 2)
    values = np.array([1, 3, 9, 9, 2, 4, 5, 5, 0, 0], dtype=float)
    known = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 1], dtype=bool)
    cut = cut_days(values, known, block_rows(times, len(times)), timed=True)
    assert cut.gaps.tolist() == [2, 1, 1]
    mean = values[known].mean()
    sums = np.array([4 - 2 * mean, 6 - 2 * mean, 5 - mean, -2 * mean])
    assert cut.values == pytest.approx(sums / (7 / 4))
    assert cut_days(values, known, block_rows(None, len(times)), timed=False).gaps is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-320, 1e-90, 1e80, 1e300])
def test_an_interval_is_as_wide_as_its_values_are_great(size):
    own, past = np.split(wander(0.5, 40, 1), [10])
    plain = reach_of_means(days(own), days(past), confidence=0.95)
    found = reach_of_means(days(size * own), days(size * past), confidence=0.95)
    assert found.untold == plain.untold == ""
    assert found.reach == pytest.approx(size * plain.reach, rel=1e-2 if size < 1e-300 else 1e-9)


@pytest.mark.filterwarnings("error")
def test_what_is_beyond_all_floats_is_infinitely_far():
    far = np.array([1.7e308, -1.7e308, 1.7e308, -1.7e308, 0.0])
    found = reach_of_means(*[Days(far, np.ones(4))] * 2, confidence=0.95)
    assert found.reach == np.inf


def test_a_window_of_one_day_differs_as_days_of_the_past_do():
    past = np.random.default_rng(4).normal(size=60)
    sides = [Days(np.zeros(1), None), Days(past - past.mean(), None)]
    found = reach_of_means(*sides, confidence=0.95)
    spread = past.std(ddof=1) * (1 + 1 / 60) ** 0.5
    assert found.reach == pytest.approx(float(stats.t.ppf(0.975, 59)) * spread)


def test_days_of_fewer_rows_than_the_past_differ_by_more():
    """Rows are independent: a day's mean varies as much as rows do, by their number."""
    rng = np.random.default_rng(5)
    sides = []
    for count, rows in ((2, 10), (100, 1_000)):
        values, ids = rng.normal(size=count * rows), np.repeat(np.arange(count), rows)
        times = np.datetime64("2024-01-01", "us") + ids * np.timedelta64(1, "D")
        known = np.ones(len(values), dtype=bool)
        sides.append(cut_days(values, known, block_rows(times, len(values)), timed=False))
    assert sides[0].within == pytest.approx(1, rel=0.4)
    fewer = max(side.within for side in sides) ** 2 * (1 / 10 - 1 / 1_000)
    spreads = [sides[1].values.var(ddof=1) + fewer]
    spreads = [(2 * spreads[0] + sides[0].values.var(ddof=1)) / 3, sides[1].values.var(ddof=1)]
    parts = [spreads[0] / 2, spreads[1] / 100]
    freedom = sum(parts) ** 2 / (parts[0] ** 2 + parts[1] ** 2 / 99)
    found = reach_of_means(*sides, confidence=0.95)
    assert found.reach == pytest.approx(float(stats.t.ppf(0.975, freedom)) * sum(parts) ** 0.5)


def test_a_window_may_be_told_to_differ_as_much_as_the_past_at_least():
    sides = [Days(np.array([0.1, -0.1, 0.0]), None), days(np.random.default_rng(6).normal(size=60))]
    sides[1] = Days(sides[1].values, None)
    plain, as_much, more = (
        reach_of_means(*sides, confidence=0.95, least=least).reach
        for least in (None, lambda _: 1.0, lambda reach: 4.0 if reach > 0 else 1.0)
    )
    assert plain < as_much < 0.6 * more
