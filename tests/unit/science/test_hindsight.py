"""The best that could have been done, against trying every schedule there is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from pipelines.science.hindsight import best_losses, best_schedule


def try_all(losses, most):
    """The least mean loss over all schedules, one by one."""
    count = len(losses)
    scored = np.isfinite(best_losses(losses))
    found = []
    for size in range(most + 1):
        for later in combinations(range(1, count), size):
            moments = [0, *later]
            serving = [max(m for m in moments if m <= batch) for batch in range(count)]
            found.append(np.mean([losses[s, b] for b, s in enumerate(serving) if scored[b]]))
    return np.nanmin(found)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most", [0, 1, 2, 4])
def test_the_best_schedule_is_the_best_of_all(seed, most):
    losses = np.random.default_rng(seed).normal(5, 1, (7, 7))
    mean, moments = best_schedule(losses, most)
    assert mean == pytest.approx(try_all(losses, most), abs=1e-12)
    assert len(moments) <= most
    serving = [max(m for m in (0, *moments) if m <= batch) for batch in range(7)]
    assert np.mean([losses[s, b] for b, s in enumerate(serving)]) == pytest.approx(mean, abs=1e-12)


def test_batches_that_nobody_was_scored_on_count_for_nothing():
    losses = np.random.default_rng(3).normal(5, 1, (6, 6))
    losses[:, 2] = np.nan
    mean, _ = best_schedule(losses, 2)
    assert mean == pytest.approx(try_all(losses, 2), abs=1e-12)
    assert np.isnan(best_losses(losses)[2])


def test_a_version_that_was_never_made_is_never_chosen():
    losses = np.full((4, 4), 9.0)
    losses[2] = np.nan
    losses[3] = 1.0
    mean, moments = best_schedule(losses, 3)
    assert moments == (3,)
    assert mean == (9 + 9 + 9 + 1) / 4


def test_a_version_serves_no_batch_before_it_was_made():
    losses = np.full((3, 3), 5.0)
    losses[2, :2] = 0.0
    assert best_losses(losses).tolist() == [5, 5, 5]
    assert best_schedule(losses, 2)[0] == 5


def test_without_a_score_there_is_no_best():
    with pytest.raises(ValueError, match="no batch was scored"):
        best_schedule(np.full((3, 3), np.nan), 1)
