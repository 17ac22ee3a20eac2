"""Silhouettes, the spread between clusters, and how alike two clusterings are: scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    silhouette_samples,
    silhouette_score,
)

from pipelines.science.formulas import clusters
from pipelines.science.formulas.clusters import (
    adjusted_rand,
    calinski_harabasz,
    contingency,
    silhouette,
    silhouettes,
)

RNG = np.random.default_rng(3)
CLUSTER = RNG.integers(0, 3, 300)
INPUTS = RNG.normal(size=(300, 2)) + 5 * CLUSTER[:, None]


def test_the_silhouette_is_scikit_learns():
    assert silhouette(INPUTS, CLUSTER, seed=1) == pytest.approx(silhouette_score(INPUTS, CLUSTER))
    assert silhouettes(INPUTS, CLUSTER, seed=1) == pytest.approx(
        silhouette_samples(INPUTS, CLUSTER)
    )


def test_of_many_rows_a_sample_is_drawn_by_the_seed(monkeypatch):
    monkeypatch.setattr(clusters, "MOST_ROWS", 200)
    found = silhouette(INPUTS, CLUSTER, seed=1)
    assert found == silhouette(INPUTS, CLUSTER, seed=1) != silhouette(INPUTS, CLUSTER, seed=2)
    assert found == pytest.approx(silhouette_score(INPUTS, CLUSTER), abs=0.05)
    assert np.isfinite(silhouettes(INPUTS, CLUSTER, seed=1)).sum() == 200


@pytest.mark.parametrize("cluster", [np.zeros(300), np.arange(300)])
def test_one_cluster_or_rows_alone_have_none(cluster):
    assert np.isnan(silhouette(INPUTS, cluster, seed=1))


def test_the_spread_between_clusters_is_scikit_learns():
    sizes = np.bincount(CLUSTER, minlength=4)[None, :].astype(float)  # the fourth has no row
    sums = np.stack([INPUTS[place == CLUSTER].sum(axis=0) for place in range(4)])[None]
    found = calinski_harabasz(sizes, sums, np.array([(INPUTS**2).sum()]))
    assert found[0] == pytest.approx(calinski_harabasz_score(INPUTS, CLUSTER), rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_likeness_of_two_clusterings_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    k, other_k, rows = rng.integers(1, 6), rng.integers(1, 6), rng.integers(2, 80)
    one, other = rng.integers(0, k, rows), rng.integers(0, other_k, rows)
    table = contingency(one, other, (k, other_k))
    assert adjusted_rand(table[None])[0] == pytest.approx(
        adjusted_rand_score(other, one), abs=1e-12
    )
