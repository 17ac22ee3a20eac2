"""The one-standard-error rule: noise is admitted, and the simplest within it wins."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.choice import Contender, choose


def contender(name, scores, rank):
    return Contender(name, float(np.mean(scores)), tuple(scores), rank)


LINEAR = contender("linear", [0.60, 0.70, 0.65, 0.62, 0.68], 1)
FOREST = contender("forest", [0.61, 0.69, 0.67, 0.61, 0.70], 3)
BOOSTED = contender("boosted", [0.64, 0.73, 0.69, 0.66, 0.71], 4)


def name_of(contenders, metric="roc_auc", **options):
    return choose(
        metric, contenders, **{"tested": 0.25, "rule": "one_standard_error", **options}
    ).name


def test_a_difference_that_every_fold_shows_is_no_noise():
    assert name_of([LINEAR, BOOSTED]) == "boosted"


def test_the_simplest_within_the_noise_wins_and_the_words_say_by_how_much():
    found = choose("roc_auc", [FOREST, LINEAR], tested=0.25, rule="one_standard_error")
    assert found.name == "linear"
    assert found.words == (
        "forest has the best roc_auc over the folds, 0.6560; linear lies 0.0060 worse, within one"
        " standard error (0.0102): the simplest of these, linear, is chosen"
    )


def test_the_standard_error_is_of_the_paired_differences_widened_for_shared_rows():
    worse = np.array(FOREST.scores) - np.array(LINEAR.scores)
    error = np.sqrt((1 / 5 + 0.25) * worse.var(ddof=1))
    assert (
        f"({error:.4f})"
        in choose("roc_auc", [FOREST, LINEAR], tested=0.25, rule="one_standard_error").words
    )


def test_the_rule_best_takes_the_best():
    assert name_of([LINEAR, FOREST], rule="best") == "forest"


def test_of_equally_simple_ones_the_better_wins_and_of_equals_the_first():
    other = contender("other", LINEAR.scores, 1)
    assert name_of([LINEAR, other]) == "linear"
    assert name_of([other, LINEAR]) == "other"
    slightly = contender("slightly", [score + 0.001 for score in LINEAR.scores], 1)
    assert name_of([LINEAR, slightly]) == "slightly"


def test_of_an_error_the_least_is_best():
    assert name_of([LINEAR, BOOSTED], metric="rmse", greater_is_better=False) == "linear"


@pytest.mark.parametrize("scores", [(), (0.7,), (0.7, 0.7)])
def test_without_the_same_folds_the_best_wins(scores):
    assert name_of([LINEAR, Contender("old", 0.7, scores, 9)]) == "old"


def test_three_folds_are_called_crude():
    one, two = contender("one", [0.6, 0.7, 0.65], 1), contender("two", [0.61, 0.69, 0.67], 2)
    assert (
        "3 folds make a crude standard error"
        in choose("roc_auc", [one, two], tested=0.6, rule="one_standard_error").words
    )


def test_nobody_is_chosen_among_none():
    assert choose("roc_auc", [], tested=0.5, rule="best") is None
