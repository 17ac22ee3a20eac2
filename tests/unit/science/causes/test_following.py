"""Outcomes that follow the answers less than they did are another concept, before errors say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.science.causes.following import measure_following, outcomes_of
from pipelines.science.causes.naming import name_cause
from pipelines.science.causes.view import View
from tests.unit.science.causes.orders import cut, orders, random_days


def answered(noise=0.0, days=200, loss="log", seed=0):
    """Windows with a weak model's probabilities, and each day a level of its own; some of the
    window's labels are other rows'.
    """
    rng = np.random.default_rng(seed)
    whole = orders(seed)
    day = (whole.times - whole.times.min()).astype("timedelta64[D]").astype(int)
    p = np.clip(0.25 + 0.12 * rng.standard_normal(whole.rows), 0.03, 0.9)
    level = 0.08 * rng.standard_normal(day.max() + 1)
    y = (rng.random(whole.rows) < np.clip(p + level[day], 0, 1)).astype(float)
    chosen = random_days(days, seed)
    struck = np.flatnonzero(np.isin(day, chosen) & (rng.random(whole.rows) < noise))
    y[struck] = y[rng.permutation(struck)]
    near = np.where(y > 0, p, 1 - p)
    losses = -np.log(near) if loss == "log" else (1 - near) ** 2
    return cut(replace(whole, predictions=p, losses=losses), chosen)


@pytest.mark.parametrize("loss", ["log", "squares"])
def test_the_outcome_is_told_by_a_probability_and_its_loss(loss):
    window, _ = answered(loss=loss)
    y = outcomes_of(window)
    near = np.where(y > 0, window.predictions, 1 - window.predictions)
    assert np.allclose(-np.log(near) if loss == "log" else (1 - near) ** 2, window.losses)


def test_of_values_and_unknown_losses_nothing_is_told():
    plain = orders()
    assert outcomes_of(plain) is None
    assert measure_following(View(*cut(plain, random_days()))) is None
    window, past = answered()
    half = replace(window, losses=np.where(np.arange(window.rows) % 2, np.nan, window.losses))
    assert np.isnan(outcomes_of(half)).sum() == (window.rows + 1) // 2
    assert measure_following(View(half, past)).before > 0


def test_labels_of_other_rows_are_another_concept_where_the_loss_hardly_moves():
    found = measure_following(View(*answered(noise=0.5)))
    assert found.relative == pytest.approx(-0.5, abs=0.15)
    cause = name_cause(*answered(noise=0.5))
    assert cause.kind == "concept"
    assert "outcomes rise by" in cause.evidence[0] or "mean loss" in cause.evidence[0]


def test_quiet_windows_are_called_less_in_no_more_than_the_stated_share():
    p_values = [measure_following(View(*answered(days=20, seed=s))).p_value for s in range(60)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5
