"""Rates of groups by direct counts; a biased model is refused, a fair one is not."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.gate.fairness import Decided, measure_aspect
from pipelines.science.gate.fairness_check import FairnessFacts, check_fairness, find_fairness
from pipelines.science.pieces import pieces_of
from pipelines.spec.gate_checks import Fairness
from tests.unit.science.gate.facts import GATE

DAYS, ROWS = 40, 100
RULE = Fairness(by="sex", selection_rate=0.1, equal_opportunity=0.1, equalised_odds=0.1)


def decided(*, bias=0.0, groups=2, days=DAYS, seed=1):
    rng = np.random.default_rng(seed)
    n = days * ROWS
    group = rng.integers(0, groups, n)
    y = rng.integers(0, 2, n)
    positive = rng.random(n) < 0.2 + 0.6 * y - bias * (group == 0)
    times = np.datetime64("2026-01-01", "s") + np.arange(n) * (86_400 // ROWS)
    masks = {f"sex = {k}": group == k for k in range(groups)}
    return Decided(positive, y, masks, pieces_of(times, None))


def facts(rows, rule=RULE):
    return FairnessFacts({aspect: measure_aspect(rows, aspect, rule) for aspect in rule.limits})


def checks(found, rule=RULE):
    gate = GATE.model_copy(update={"fairness": rule})
    return {c.name.removeprefix("fairness "): c for c in check_fairness(found, gate)}


def test_rates_and_differences_are_direct_counts():
    rows = decided(bias=0.15, groups=3)
    for aspect, among in (("selection_rate", None), ("equal_opportunity", 1)):
        found = measure_aspect(rows, aspect, RULE)
        counts = {}
        for name, mask in rows.groups.items():
            inside = mask if among is None else mask & (rows.truth == among)
            counts[name] = sum(rows.positive[inside]) / sum(inside)
        assert {r.group: r.value for r in found.rates} == pytest.approx(counts)
        assert max(g.value for g in found.gaps) == pytest.approx(
            max(counts.values()) - min(counts.values())
        )
        assert len(found.gaps) == 3
    odds = measure_aspect(rows, "equalised_odds", RULE)
    assert {g.rate for g in odds.gaps} == {"true positive rate", "false positive rate"}


def test_intervals_hold_their_value():
    for each in measure_aspect(decided(), "selection_rate", RULE).rates:
        assert 0 < each.low < each.value < each.high < 1
        assert each.high - each.low == pytest.approx(2 * 1.96 * (0.25 / 2_000) ** 0.5, rel=0.35)


def test_a_biased_model_is_refused_and_told_what_would_pass():
    found = checks(facts(decided(bias=0.2)))
    for check in found.values():
        assert not check.passed
        assert check.value > check.limit == 0.1
        assert "gate.fairness." in check.would_pass
    least = float(found["selection_rate"].would_pass.rpartition(" ")[2])
    rule = RULE.model_copy(update={"selection_rate": least})
    assert checks(facts(decided(bias=0.2)), rule)["selection_rate"].passed


def test_a_fair_model_passes_and_its_groups_are_shown():
    found = facts(decided())
    assert all(c.passed for c in checks(found).values())
    shown = find_fairness(found, GATE.model_copy(update={"fairness": RULE}))
    assert [s.value for s in shown] == [
        "selection rate",
        "true positive rate",
        "false positive rate",
    ]
    assert [f.name for f in shown[0].findings] == ["sex = 0", "sex = 1"]


def test_a_group_without_members_is_named_and_one_group_alone_refuses():
    rows = decided()
    masks = {**rows.groups, "sex = 2": np.zeros(len(rows.truth), dtype=bool)}
    found = checks(facts(Decided(rows.positive, rows.truth, masks, rows.pieces)))
    assert found["selection_rate"].passed
    assert "not compared: sex = 2 has 0 rows only" in found["selection_rate"].detail
    masks = {name: mask for name, mask in masks.items() if name != "sex = 1"}
    found = checks(facts(Decided(rows.positive, rows.truth, masks, rows.pieces)))
    assert not found["selection_rate"].passed
    assert "no two groups" in found["selection_rate"].detail


def test_odds_of_which_one_rate_cannot_be_compared_refuse():
    rows = decided()
    truth = np.where(np.arange(len(rows.truth)) % ROWS == 0, 0, 1)  # too few that are not positive
    found = checks(facts(Decided(rows.positive, truth, rows.groups, rows.pieces)))
    assert found["equal_opportunity"].passed
    assert not found["equalised_odds"].passed
    assert "no two groups whose false positive rate can be compared" in (
        found["equalised_odds"].detail
    )


def test_few_days_are_not_compared_and_nothing_known_refuses():
    found = checks(facts(decided(days=8)))
    assert "its rows are of 8 days only" in found["equal_opportunity"].detail
    for nothing in (None, FairnessFacts(), FairnessFacts(error="no column")):
        assert not any(c.passed for c in checks(nothing).values())
    assert check_fairness(None, GATE) == []
