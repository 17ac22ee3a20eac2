"""Which policy to take, how sure that is, and when nobody can tell."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.policy_worth import Tried, compare_losses, recommend


def noise(seed, count, spread=0.1):
    return np.random.default_rng(seed).normal(0, spread, count)


def test_a_difference_has_an_interval_that_holds_it():
    ours, theirs = 5 + noise(1, 40), 4 + noise(2, 40)
    gap = compare_losses(ours, theirs)
    assert gap.low < gap.mean < gap.high
    assert gap.low > 0.9
    assert gap.high < 1.1
    other = compare_losses(theirs, ours)
    assert (other.low, other.high) == pytest.approx((-gap.high, -gap.low))


@pytest.mark.parametrize(
    ("count", "apart", "words"), [(11, 11, "11 batches are too few"), (30, 4, "differ on 4 batch")]
)
def test_of_too_little_nobody_can_tell(count, apart, words):
    theirs = 4 + noise(1, count)
    ours = theirs.copy()
    ours[:apart] += 1
    gap = compare_losses(ours, theirs)
    assert (gap.low, gap.high) == (None, None)
    assert words in gap.untold


def test_what_serves_the_same_differs_by_nothing_for_certain():
    losses = 4 + noise(1, 20)
    gap = compare_losses(losses, losses)
    assert (gap.mean, gap.low, gap.high, gap.untold) == (0.0, 0.0, 0.0, "")


def test_batches_that_one_has_no_loss_of_are_left_out():
    ours, theirs = 5 + noise(1, 30), 4 + noise(2, 30)
    ours[:10] = np.nan
    assert compare_losses(ours, theirs).batches == 20


def test_dependent_differences_have_a_wider_interval():
    rng = np.random.default_rng(5)
    steps = rng.normal(0, 1, 60)
    slow = np.zeros(60)
    for i in range(1, 60):
        slow[i] = 0.9 * slow[i - 1] + steps[i]
    quick = rng.permutation(slow)
    one, other = (compare_losses(gaps, np.zeros(60)) for gaps in (slow, quick))
    assert one.high - one.low > 1.5 * (other.high - other.low)


def test_fewer_retrainings_are_taken_where_they_are_proven_to_lose_hardly_more():
    base = 10 + noise(1, 40)
    tried = [
        Tried("never", base + 3 + noise(2, 40), 0),
        Tried("yearly", base + 0.1 + noise(3, 40), 3),
        Tried("monthly", base, 39),
    ]
    found = recommend(tried, "monthly")
    assert (found.name, found.best) == ("yearly", "monthly")
    assert found.over_best.high <= found.margin
    assert found.against.mean == pytest.approx(found.over_best.mean)
    assert "retrains 3 times" in found.why


def test_what_may_lose_more_than_the_margin_is_not_taken():
    base = 10 + noise(1, 40)
    tried = [Tried("yearly", base + noise(3, 40, 3.0), 3), Tried("monthly", base - 0.3, 39)]
    assert recommend(tried, None).name == "monthly"


def test_nothing_is_recommended_where_nobody_can_tell():
    base = 10 + noise(1, 6)
    found = recommend([Tried("never", base + 5, 0), Tried("monthly", base, 5)], "never")
    assert found.name == ""
    assert "cannot be told" in found.why
    assert found.best == "monthly"
