"""The metrics of clusters, bound to rows: over all, over some, over draws, and two compared."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, silhouette_score

from pipelines.science.bootstrap import compare, spread
from pipelines.science.cluster_metrics import of_space, random_assignment, stability
from pipelines.science.metrics import resample, score, scores, why_undefined
from pipelines.science.own_metrics import Measures
from pipelines.spec.metrics import find_metric, metrics_for

RNG = np.random.default_rng(5)
N = 240
CLUSTER = RNG.integers(0, 3, N)
SPACE = RNG.normal(size=(N, 3)) + 4 * CLUSTER[:, None]
P = np.eye(3)[CLUSTER]
Y = np.zeros(N)
MEASURES = Measures(of_space(metrics_for("cluster"), SPACE, seed=1))
TIMES = np.arange(N).astype("datetime64[h]")
THEIRS = {
    "silhouette": silhouette_score,
    "calinski_harabasz": calinski_harabasz_score,
}


@pytest.mark.parametrize("name", THEIRS)
def test_each_is_scikit_learns_over_all_and_over_some_rows(name):
    assert score(MEASURES.find(name), Y, P) == pytest.approx(THEIRS[name](SPACE, CLUSTER))
    some = np.arange(0, N, 2)
    found = score(MEASURES.on(name, some), Y[some], P[some])
    assert found == pytest.approx(THEIRS[name](SPACE[some], CLUSTER[some]))


@pytest.mark.parametrize("name", [*THEIRS, "stability"])
def test_a_draw_of_each_block_once_is_the_metric_itself(name):
    metric = stability(np.roll(CLUSTER, 1)) if name == "stability" else MEASURES.find(name)
    drawn = resample(metric, Y, P, np.arange(N) // 12, 20).of(np.ones((1, 20)))
    assert drawn[0] == pytest.approx(score(metric, Y, P), rel=1e-12)


def test_the_spread_between_clusters_of_a_draw_is_that_of_the_rows_drawn():
    metric, block = MEASURES.find("calinski_harabasz"), np.arange(N) // 12
    draws = np.random.default_rng(0).multinomial(20, [1 / 20] * 20, 3).astype(float)
    found = resample(metric, Y, P, block, 20).of(draws)
    for weights, value in zip(draws, found, strict=True):
        rows = np.repeat(np.arange(N), weights[block].astype(int))
        assert value == pytest.approx(calinski_harabasz_score(SPACE[rows], CLUSTER[rows]))


def test_stability_knows_no_names():
    renamed = np.array([2, 0, 1])[CLUSTER]
    assert score(stability(renamed), Y, P) == 1
    other = RNG.integers(0, 4, N)
    assert score(stability(other), Y, P) == pytest.approx(adjusted_rand_score(other, CLUSTER))


def test_a_random_assignment_has_no_silhouette_and_loses():
    chance = random_assignment(N, 3, seed=0)
    assert (chance.sum(axis=1) == 1).all()
    assert score(MEASURES.find("silhouette"), Y, chance) == pytest.approx(0, abs=0.05)
    found = compare(
        MEASURES.find("silhouette"),
        Y,
        challenger=P,
        opponent=chance,
        event_times=TIMES,
        confidence=0.95,
        seed=1,
    )
    assert 0 < found.lower < found.difference


def test_the_interval_of_the_silhouette_holds_it():
    found = spread(MEASURES.find("silhouette"), Y, P, event_times=TIMES, confidence=0.95, seed=1)
    assert found.bad_end < found.value < found.good_end
    assert found.good_end - found.bad_end < 0.1


def test_one_cluster_has_none_of_them_and_the_reason_is_told():
    one = np.eye(3)[np.zeros(N, dtype=int)]
    found = scores("cluster", Y, one, own=MEASURES.own.values())
    assert found == {"silhouette": None, "calinski_harabasz": None}
    assert "all rows are of one cluster" in why_undefined(MEASURES.find("silhouette"), Y, one)


def test_answers_that_are_no_numbers_have_none():
    broken = np.where(np.arange(N)[:, None] == 7, np.nan, P)
    assert np.isnan(score(MEASURES.find("silhouette"), Y, broken))
    assert np.isnan(score(stability(CLUSTER), Y, broken))


@pytest.mark.parametrize("name", ["silhouette", "calinski_harabasz", "stability"])
def test_without_the_rows_there_is_no_value_and_no_crash(name):
    assert find_metric(name).sees == "rows"
    assert np.isnan(score(name, Y, P))
    assert why_undefined(name, Y, P)


def test_rows_are_weighed():
    weights = (np.arange(N) < N // 2).astype(float)
    metric = MEASURES.find("calinski_harabasz")
    half = slice(0, N // 2)
    assert score(metric, Y, P, weights=weights) == pytest.approx(
        calinski_harabasz_score(SPACE[half], CLUSTER[half])
    )
