"""What follows from a change: a change of the loss, of decisions, of nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.science.causes.view import pick
from pipelines.science.changes.facts import Sample
from pipelines.science.effects.decisions import Decisions
from pipelines.science.effects.naming import measure_effect
from tests.unit.science.causes.orders import cut, orders, random_days, with_columns

WHOLE = orders()
WINDOW, PAST = cut(WHOLE, random_days(120))
UNLABELLED = replace(WINDOW, losses=None)
ISLANDS = pick(
    UNLABELLED, (WINDOW.columns["region"] == "islands") | (np.arange(WINDOW.rows) % 3 == 0)
)


def test_harder_rows_are_expected_to_be_answered_worse_before_a_label_is_known():
    effect = measure_effect(ISLANDS, PAST)
    # Islands are wrong twice as much as others, and are 15 % of the past and 35 % of these rows.
    share = (ISLANDS.columns["region"] == "islands").mean()
    truth = PAST.losses.mean() * (1 + share) / 1.15
    assert effect.follows == "matters"
    assert effect.expected.low < truth - effect.expected.before < effect.expected.high
    assert effect.expected.now == pytest.approx(truth, rel=0.05)
    assert "expected of such rows" in effect.words[0]


def test_as_a_classifier_sees_a_part_of_a_shift_there_may_be_more_of_it_and_not_less():
    expected = measure_effect(ISLANDS, PAST).expected
    inwards, outwards = expected.change - expected.low, expected.high - expected.change
    # Half of what the weights may make of the loss, by Student's t of many days.
    unseen = 0.5 * (1.96 * expected.change + inwards)
    assert outwards == pytest.approx(np.hypot(inwards, unseen), rel=0.02)
    unmoved = measure_effect(UNLABELLED, PAST).expected
    assert abs(unmoved.change) < 0.1 * expected.change


def test_a_shift_of_rows_that_are_answered_alike_has_no_consequence():
    weights = np.random.default_rng(2).random(WINDOW.rows) < WINDOW.columns["age"] / 95
    effect = measure_effect(pick(UNLABELLED, weights), PAST)
    assert effect.follows == "nothing_follows"


def test_measured_losses_come_before_expected_ones():
    worse = replace(WINDOW, losses=WINDOW.losses * 1.5)
    effect = measure_effect(worse, PAST)
    assert effect.follows == "matters"
    assert "measured on labels" in effect.words[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-90, 1e80, 1e306])
def test_however_small_or_great_losses_are_the_same_follows(size):
    harder, past = (replace(s, losses=s.losses * size) for s in (WINDOW, PAST))
    effect, plain = measure_effect(harder, past), measure_effect(WINDOW, PAST)
    assert effect.follows == plain.follows
    assert effect.expected.low == pytest.approx(size * plain.expected.low)
    assert effect.expected.high == pytest.approx(size * plain.expected.high)
    worse = measure_effect(replace(harder, losses=harder.losses * 1.5), past)
    assert worse.follows == "matters"


def test_rows_beyond_all_that_is_known_tell_nothing_of_the_loss():
    far = with_columns(UNLABELLED, amount=UNLABELLED.columns["amount"] * 1000)
    effect = measure_effect(far, PAST)
    assert effect.follows == "cannot_be_said"
    assert "beyond all that the reference has" in effect.words[0]


def test_decisions_that_turn_are_counted():
    plain = replace(PAST, losses=None)
    bold = replace(UNLABELLED, predictions=UNLABELLED.predictions * 2)
    effect = measure_effect(bold, plain, decisions=Decisions(bold, plain, 0.5))
    assert effect.follows == "matters"
    difference = effect.decided[1] - effect.decided[0]
    assert 0.9 * difference < effect.flips < difference
    calm = measure_effect(UNLABELLED, plain, decisions=Decisions(UNLABELLED, plain, 0.5))
    assert calm.follows == "nothing_follows"
    assert calm.flips == 0


def test_columns_are_ordered_by_importance_times_shift():
    moved = with_columns(
        UNLABELLED, age=UNLABELLED.columns["age"] + 20, amount=UNLABELLED.columns["amount"] * 1.5
    )
    known = {"amount": 0.8, "age": 0.01, "region": 0.1, "temperature": -0.1}
    effect = measure_effect(moved, PAST, importances=known)
    assert [c.name for c in effect.columns[:2]] == ["amount", "age"]
    assert effect.columns[1].shift > effect.columns[0].shift
    part = measure_effect(moved, PAST, importances={"amount": 0.8})
    ages = next(c for c in part.columns if c.name == "age")
    assert (ages.importance, ages.weight) == (None, ages.shift)  # as the mean of those known: all
    assert any("age (unknown x" in words for words in part.words)
    without = measure_effect(moved, PAST)
    assert (without.columns[0].name, without.columns[0].importance) == ("age", None)
    assert any("how important it is being unknown: age" in words for words in without.words)


def test_the_model_is_asked_again_with_one_column_set_back():
    def answer(rows):
        return rows["amount"] / 100

    moved = with_columns(UNLABELLED, amount=UNLABELLED.columns["amount"] * 2)
    moved = replace(moved, predictions=answer(moved.columns))
    effect = measure_effect(moved, PAST, decisions=Decisions(moved, PAST, 0.5), answer=answer)
    flips = {c.name: c.flips for c in effect.columns}
    before, now = effect.decided
    assert flips["amount"] == pytest.approx(now - before, abs=0.04)
    assert all(v in (None, 0.0) for n, v in flips.items() if n != "amount")


def test_what_cannot_be_said_is_said():
    few = measure_effect(pick(WINDOW, np.arange(5)), PAST)
    assert (few.follows, few.columns) == ("cannot_be_said", [])
    unknown = measure_effect(UNLABELLED, replace(PAST, losses=None, predictions=None))
    assert unknown.follows == "cannot_be_said"
    assert unknown.words[0].startswith("neither errors nor decisions are known")
    assert measure_effect(Sample({}), PAST).follows == "cannot_be_said"
