"""A claim that fails has consequences, whatever the mean loss says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.messages import DriftEffect
from pipelines.science.changes.facts import Claim
from pipelines.science.effects.naming import measure_effect
from pipelines.verdicts.explanations import in_short
from tests.unit.science.causes.orders import cut, orders, random_days

WINDOW, PAST = cut(orders(), random_days(120))


def covered(sample, share, seed):
    """The side with 90 % intervals that cover so large a share of its rows."""
    inside = np.random.default_rng(seed).random(sample.rows) < share
    claim = Claim("coverage", "0.05 to 0.95", inside.astype(float), nominal=0.9)
    return replace(sample, claims=(claim,))


def test_intervals_that_cover_less_matter_though_the_loss_is_as_it_was():
    held = covered(PAST, 0.9, 1)
    quiet = measure_effect(covered(WINDOW, 0.9, 2), held, tolerated=0.1)
    assert quiet.follows == "nothing_follows"
    assert not any("intervals" in words for words in quiet.words)
    less = measure_effect(covered(WINDOW, 0.7, 2), held, tolerated=0.1)
    assert less.follows == "matters"
    [told] = [words for words in less.words if "intervals" in words]
    told_now = float(told.split("cover ")[1].split("%")[0])
    assert 66 < told_now < 74
    assert "10% is tolerated" in told


def test_a_few_rows_cannot_say_whether_a_claim_fails():
    few = covered(WINDOW.take(np.arange(0, WINDOW.rows, 30)), 0.88, 3)
    effect = measure_effect(few, covered(PAST, 0.9, 1), tolerated=0.03)
    assert effect.follows == "cannot_be_said"
    assert any("intervals" in words and "3% is tolerated" in words for words in effect.words)


UNSAID = "how much of that is chance cannot be said: labels of the window are of 1 day"


def of_one_day(sample):
    return replace(sample, times=np.full(sample.rows, sample.times[0]))


def test_what_labels_of_one_day_measure_is_told_and_that_it_may_be_chance():
    window = of_one_day(covered(WINDOW, 0.7, 2))
    unlabelled = replace(window, losses=None, claims=())
    held = covered(PAST, 0.9, 1)
    effect, before = measure_effect(window, held), measure_effect(unlabelled, held)
    assert effect.follows == before.follows, "one day decides nothing"
    assert effect.words[0] == before.words[0]
    [loss, claim] = [words for words in effect.words if UNSAID in words]
    assert "the mean loss, measured on labels" in loss
    assert "90% intervals" in claim
    lines = in_short(None, DriftEffect(follows=effect.follows, words=effect.words, columns=[]))
    assert [line for line in lines if UNSAID in line] == [f"effect: {loss}", f"effect: {claim}"]


def test_where_nothing_but_labels_of_one_day_is_known_nobody_says_that_errors_are_not():
    window, past = (replace(of_one_day(side), claims=()) for side in (WINDOW, PAST))
    few = past.take(np.arange(40))
    effect = measure_effect(window, replace(past, losses=None), labelled=(window, few))
    assert effect.follows == "cannot_be_said"
    assert UNSAID in effect.words[0]
    assert not any("neither errors" in words for words in effect.words)
