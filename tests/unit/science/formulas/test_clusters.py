"""The silhouette of clusters, and of a sample of many rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from pipelines.science.formulas import clusters
from pipelines.science.formulas.clusters import silhouette

RNG = np.random.default_rng(3)
CLUSTER = RNG.integers(0, 3, 300)
INPUTS = RNG.normal(size=(300, 2)) + 5 * CLUSTER[:, None]


def test_the_silhouette_is_scikit_learns():
    assert silhouette(INPUTS, CLUSTER, seed=1) == silhouette_score(INPUTS, CLUSTER)


def test_of_many_rows_a_sample_is_drawn_by_the_seed(monkeypatch):
    monkeypatch.setattr(clusters, "MOST_ROWS", 200)
    found = silhouette(INPUTS, CLUSTER, seed=1)
    assert found == silhouette(INPUTS, CLUSTER, seed=1) != silhouette(INPUTS, CLUSTER, seed=2)
    assert found == pytest.approx(silhouette_score(INPUTS, CLUSTER), abs=0.05)


@pytest.mark.parametrize("cluster", [np.zeros(300), np.arange(300)])
def test_one_cluster_or_rows_alone_have_none(cluster):
    assert np.isnan(silhouette(INPUTS, cluster, seed=1))
