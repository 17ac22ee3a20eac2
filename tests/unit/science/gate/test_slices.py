"""A slice that a challenger breaks refuses it; one that proves nothing is named and does not."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.gate.answers import TwoAnswers
from pipelines.science.gate.found_slices import find_slices, finding_rows
from pipelines.science.gate.slice_check import SliceFacts, check_slices
from pipelines.science.gate.slice_check import find_slices as find_parts
from pipelines.science.gate.slices import SliceRows, judge_slices
from pipelines.science.own_metrics import Measures
from pipelines.science.pieces import pieces_of_groups, pieces_of_times
from pipelines.spec.gate_checks import Slices
from tests.unit.science.gate.facts import GATE

RULE = Slices.model_validate({"by": [{"column": "place"}]})
DAYS, ROWS = 30, 60


def answers(*, broken=False, days=DAYS, seed=1):
    """Two models that are equally good, save for place 0 where the challenger may guess."""
    rng = np.random.default_rng(seed)
    n = days * ROWS
    place = rng.integers(0, 4, n)
    x = rng.normal(0, 1.5, n)
    true = 1 / (1 + np.exp(-x))
    y = (rng.random(n) < true).astype(int)
    ours, theirs = (1 / (1 + np.exp(-x - rng.normal(0, 0.4, n))) for _ in range(2))
    if broken:
        ours = np.where(place == 0, rng.uniform(0.05, 0.95, n), ours)
    times = np.datetime64("2026-01-01", "s") + np.arange(n) * (86_400 // ROWS)
    found = TwoAnswers(Measures(), y, ours, theirs, times, None)
    return found, [SliceRows(f"place = {k}", place == k) for k in range(4)]


def facts(found, slices, rule=RULE, metric="log_loss"):
    findings = judge_slices(found, slices, rule, metric)
    return SliceFacts(metric, "champion", "days", tuple(findings))


def check(facts_, rule=RULE):
    (found,) = check_slices(facts_, GATE.model_copy(update={"slices": rule}))
    return found


def test_a_broken_slice_refuses_and_says_what_would_pass():
    found = check(facts(*answers(broken=True)))
    assert not found.passed
    assert "log_loss is proven worse than the champion's by more than 0.05 of it" in found.detail
    assert "place = 0 (" in found.detail
    assert "place = 1" not in found.detail
    assert found.limit == 0.05
    assert found.value > 0.3
    assert found.would_pass.startswith("log_loss in `place = 0` better by 0.")


def test_the_change_that_would_pass_is_enough():
    first = facts(*answers(broken=True)).findings[0]
    rule = RULE.model_copy(
        update={"worse_by": 1.05 * (0.05 - first.spare_end / abs(first.opponent))}
    )
    assert check(facts(*answers(broken=True), rule), rule).passed


def test_equal_models_break_no_slice():
    found = check(facts(*answers()))
    assert found.passed
    assert "in none of 4 slices is log_loss proven worse" in found.detail
    assert found.would_pass == ""


@pytest.mark.parametrize("metric", ["roc_auc", "brier", "accuracy"])
def test_any_metric_can_tell(metric):
    assert not check(facts(*answers(broken=True), metric=metric)).passed


def test_too_few_days_prove_nothing_and_a_check_that_judges_nothing_refuses():
    found = check(facts(*answers(broken=True, days=8)))
    assert not found.passed
    assert "no slice could be judged: place = 0 is worth 8 independent days only" in found.detail
    assert "train.holdout" in found.would_pass


def test_a_slice_without_rows_is_named_and_the_others_are_judged():
    found, slices = answers()
    nobody = SliceRows("age > 200", np.zeros(len(found.truth), dtype=bool))
    result = check(facts(found, [*slices, nobody]))
    assert result.passed
    assert "not judged: age > 200 (has 0 rows only)" in result.detail


def test_a_slice_of_one_class_has_no_ranking_and_says_so():
    found, _ = answers()
    result = check(facts(found, [SliceRows("bought", found.truth == 1)], metric="roc_auc"))
    assert not result.passed
    assert "bought roc_auc is not defined in it" in result.detail


def test_what_could_not_be_measured_refuses():
    for nothing in (None, SliceFacts(error="there is no column x")):
        result = check(nothing)
        assert not result.passed
        assert result.would_pass
    assert check_slices(None, GATE) == []


def test_rows_alike_in_groups_count_as_groups():
    found, slices = answers(broken=True)
    few = np.arange(len(found.truth)) % 6
    grouped = TwoAnswers(
        found.measures, found.truth, found.ours, found.theirs, found.event_times, few
    )
    first = judge_slices(grouped, slices, RULE, "log_loss")[0]
    assert "is worth 6 independent" in first.untold


def test_each_part_has_its_value_and_interval():
    (parts,) = find_parts(facts(*answers(broken=True)), GATE.model_copy(update={"slices": RULE}))
    first, *rest = parts.findings
    assert first.passed is False
    assert first.low > parts.limit
    assert first.low < first.value < first.high
    assert all(part.passed for part in rest)


def test_a_tree_finds_the_broken_rows_on_one_half_of_the_days():
    found, slices = answers(broken=True)
    half, judging = finding_rows([pieces_of_times(found.event_times)], 1)
    worse = np.abs(found.truth - found.ours) - np.abs(found.truth - found.theirs)
    columns = {"place": np.where(slices[0].mask, 0.0, 1.0), "noise": np.arange(len(half)) % 7.0}
    parts = find_slices(columns, worse, half, judging, least_rows=100, seed=1)
    assert "found: place <= 0.5" in parts[0].name
    assert not (parts[0].mask & half).any()
    assert not check(facts(found, parts)).passed
    assert (
        parts[0].mask.tolist()
        == find_slices(columns, worse, half, judging, least_rows=100, seed=1)[0].mask.tolist()
    )


def test_without_a_column_nothing_is_found():
    half, judging = finding_rows([pieces_of_groups(np.arange(300))], 1)
    assert half.sum() == 150
    assert find_slices({}, np.ones(300), half, judging, least_rows=30, seed=1) == []
    one = find_slices(
        {"a": np.full(300, np.nan)}, np.ones(300), half, judging, least_rows=30, seed=1
    )
    assert one == []


def test_a_tree_takes_numbers_that_float32_cannot_hold():
    rows = np.arange(600)
    half, broken = rows % 2 == 0, rows % 3 == 0
    for great in (1e300, -1e300):
        columns = {"a": np.where(broken, great, 0.0)}
        (found,) = find_slices(columns, broken.astype(float), half, ~half, least_rows=100, seed=1)
        assert np.array_equal(found.mask, broken & ~half)


def test_rows_alike_in_two_ways_are_apart_in_both():
    day, customer = np.divmod(np.arange(1_200), 60)
    times = day.astype("datetime64[D]").astype("datetime64[us]")
    half, judging = finding_rows([pieces_of_times(times), pieces_of_groups(customer)], seed=1)
    assert half.sum() == judging.sum() == len(day) // 4
    for piece in (day, customer):
        assert not set(piece[half]) & set(piece[judging])
