"""What answers claim of their outcomes: of each row a number, which chance makes nominal."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.watching.claiming import HOLDS, LEVELS, Failure, answer
from pipelines.science.claims import MOST_CLASSES, find_claims

NOTHING = (np.zeros(0), np.zeros(0))
ROWS = 20_000


def claims(task, y, p, **more):
    """The claims of one side, against itself."""
    found = find_claims(task, (y, p), (y, p), **more)[0]
    return {(c.method, c.name): c for c in found}


def draw(kind, failure=HOLDS, seed=1):
    return answer(kind, np.random.default_rng(seed).normal(size=(ROWS, 4)), failure)


@pytest.mark.parametrize(
    ("task", "kind", "more"),
    [
        ("binary", "probabilities", {}),
        ("multiclass", "classes", {"classes": ["a", "b", "c"]}),
        ("quantiles", "intervals", {"levels": LEVELS}),
        ("regression", "values", {}),
        ("forecast", "values", {}),
    ],
)
def test_what_is_true_is_nominal(task, kind, more):
    found = claims(task, *draw(kind), **more)
    assert found
    for claim in found.values():
        assert claim.measure() == pytest.approx(claim.nominal, abs=0.05)
        error = claim.values.std() / ROWS**0.5
        nominal = claim.nominal if claim.weights is None else 0.0
        assert abs(claim.values.mean() - nominal) < 4 * error


def test_a_base_rate_that_moves_is_a_bias_and_no_other_slope():
    found = claims("binary", *draw("probabilities", Failure(moved=0.5)))
    assert found["bias", ""].measure() == pytest.approx(0.09, abs=0.01)
    slope = found["confidence", ""]
    assert abs(slope.values.mean() / slope.values.std()) * ROWS**0.5 < 15
    steeper = claims("binary", *draw("probabilities", Failure(times=1 / 1.5)))["confidence", ""]
    assert steeper.measure() < -0.2
    assert abs(steeper.values.mean() / steeper.values.std()) * ROWS**0.5 > 20


def test_probabilities_of_a_group_are_read_by_its_own_rows():
    p = np.array([0.1, 0.1, 0.9, 0.9])
    found = claims("binary", np.array([0, 1, 1, 0]), p)
    assert found["high", ""].measure() == pytest.approx(-0.4)
    assert found["low", ""].measure() == pytest.approx(0.4)
    assert found["bias", ""].measure() == pytest.approx(0.0)


def test_equal_probabilities_claim_a_share_and_no_slope():
    found = claims("binary", np.array([0, 1, 1, 0]), np.full(4, 0.3))
    assert list(found) == [("bias", "")]
    assert found["bias", ""].measure() == pytest.approx(0.2)


def test_a_class_that_the_model_does_not_know_came_for_none_of_its_own():
    p = np.array([[0.7, 0.3], [0.6, 0.4]])
    found = claims("multiclass", np.array([-1, -1]), p, classes=["cat", "dog"])
    assert found["bias", "cat"].values.tolist() == pytest.approx([-0.7, -0.6])
    assert found["surest", ""].values.tolist() == pytest.approx([-0.7, -0.6])


def test_of_many_classes_the_commonest_are_looked_at_each():
    p = np.random.default_rng(1).dirichlet(np.arange(1, 61.0), size=100)
    found = claims("multiclass", p.argmax(axis=1), p)
    assert sum(method == "bias" for method, _ in found) == MOST_CLASSES
    assert ("bias", "59") in found
    assert ("bias", "0") not in found


def test_intervals_are_between_levels_as_far_from_either_end():
    y, p = np.array([0.0, 2.0, 3.0]), np.tile([-1.0, 0.0, 1.0, 2.0], (3, 1))
    found = claims("quantiles", y, p, levels=(0.05, 0.25, 0.75, 0.95))
    assert {name: c.measure() for (method, name), c in found.items() if method == "coverage"} == {
        "0.05 to 0.95": pytest.approx(2 / 3),
        "0.25 to 0.75": pytest.approx(1 / 3),
    }
    assert found["coverage", "0.05 to 0.95"].nominal == pytest.approx(0.9)
    uneven = claims("quantiles", y, p[:, :2], levels=(0.1, 0.5))
    assert ("coverage", "0.1 to 0.5") in uneven
    assert [m for m, _ in claims("quantiles", y, p[:, :1], levels=(0.9,))] == ["level"]


@pytest.mark.parametrize("task", ["anomaly", "cluster"])
def test_scores_and_clusters_claim_nothing_of_an_outcome(task):
    assert find_claims(task, (np.zeros(3), np.zeros(3)), (np.zeros(3), np.zeros(3))) == ((), ())


def test_both_sides_make_the_same_claims():
    own, past = draw("probabilities"), draw("probabilities", seed=2)
    first, second = find_claims("binary", own, past)
    assert [(c.method, c.name) for c in first] == [(c.method, c.name) for c in second]
    assert len(first[0].values) == ROWS
    assert find_claims("binary", NOTHING, NOTHING)[0][0].values.shape == (0,)
