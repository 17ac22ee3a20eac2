"""Clusterings are compiled where proven: the nearest point, a mixture's densities, in float64."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import BisectingKMeans, KMeans, MeanShift, MiniBatchKMeans
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from pipelines.bundle.clusters import Clusters
from pipelines.bundle.predictor import NativePredictor, OnnxPredictor
from pipelines.bundle.schema import Column, InputSchema
from pipelines.training.onnx.answers import excuse_borders
from pipelines.training.onnx.conversion import to_onnx
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.onnx.export import compile_pipeline
from pipelines.training.storing import dump

RNG = np.random.default_rng(2)
GROUP = RNG.integers(0, 3, 400)
ROWS = pd.DataFrame(
    {
        "a": (RNG.normal(size=400) + 5 * (GROUP == 1)).astype(np.float32),
        "b": (RNG.normal(size=400) + 5 * (GROUP == 2)).astype(np.float32),
    }
)
FEED = {name: ROWS[[name]].to_numpy() for name in ROWS.columns}
MIXTURES = [
    kind(n_components=3, covariance_type=covariance, random_state=0)
    for kind in (GaussianMixture, BayesianGaussianMixture)
    for covariance in ("full", "tied", "diag", "spherical")
]


def edges():
    """Rows far outside of what was learnt from, as packaging asks for them."""
    whole, single = edge_rows(schema(2), ROWS.astype(float).to_dict("records"))
    return [*whole, *single]


def schema(clusters):
    columns = [Column(name=name, kind="number", nullable=False) for name in ROWS.columns]
    return InputSchema(task="cluster", columns=columns, classes=[str(i) for i in range(clusters)])


def fitted(estimator, order=None):
    from sklearn.compose import ColumnTransformer

    encoder = ColumnTransformer([("numbers", StandardScaler(), ["a", "b"])])
    model = Pipeline([("encode", encoder), ("estimator", Clusters(estimator))])
    model.fit(ROWS, np.zeros(len(ROWS)))
    if order is not None:
        model[-1].arrange(order)
    return model


@pytest.mark.parametrize(
    "estimator",
    [
        KMeans(3, n_init=3, random_state=0),
        MiniBatchKMeans(4, n_init=3, random_state=0),
        MeanShift(bandwidth=1.0, bin_seeding=True),
        *MIXTURES,
    ],
    ids=lambda e: f"{type(e).__name__} {getattr(e, 'covariance_type', '')}",
)
def test_compiled_with_proof_at_borders_and_at_edges(estimator):
    model = fitted(estimator)
    found = compile_pipeline(model, schema(len(model.classes_)), FEED, edges())
    assert found.model is not None, found.why_not
    assert found.parity <= 1e-6


def test_what_goes_down_a_tree_of_clusters_is_served_natively_and_says_so():
    found = compile_pipeline(fitted(BisectingKMeans(3, random_state=0)), schema(3), FEED, edges())
    assert found.model is None
    assert "BisectingKMeans does not go by the nearest of its points" in found.why_not


@pytest.mark.parametrize("estimator", [KMeans(3, random_state=0), MIXTURES[0]])
def test_the_order_of_the_names_is_compiled_and_stored(estimator):
    plain, model = fitted(estimator), fitted(estimator, order=[2, 0, 1])
    wanted = plain.predict_proba(ROWS)[:, [2, 0, 1]]
    stored = NativePredictor(schema(3), dump(model))
    assert stored.predict_feed(FEED) == pytest.approx(wanted)
    compiled = OnnxPredictor(schema(3), to_onnx(model, schema(3)))
    assert compiled.predict_feed(FEED) == pytest.approx(wanted, abs=1e-6)
    model[-1].arrange([1, 2, 0])
    assert model.predict_proba(ROWS) == pytest.approx(plain.predict_proba(ROWS))


def test_only_a_row_on_a_border_may_be_of_either_cluster():
    model = fitted(KMeans(3, n_init=3, random_state=0))
    centres = (
        model[:-1]
        .named_steps["encode"]
        .transformers_[0][1]
        .inverse_transform(model[-1].centres()[0])
    )
    between = centres[:2].mean(axis=0)
    feed = {
        name: np.array([[between[i]], [centres[0][i]]], np.float32)
        for i, name in enumerate(ROWS.columns)
    }
    native = model.predict_proba(pd.DataFrame({n: v[:, 0] for n, v in feed.items()}))
    moved = np.roll(native, 1, axis=1)
    excused = excuse_borders(model, feed, native, moved)
    assert (excused[0] == moved[0]).all()
    assert (excused[1] == native[1]).all()


@pytest.mark.parametrize(
    ("rows", "estimator", "says"),
    [
        (np.zeros((20, 2)), MeanShift(bandwidth=1), "all 20 rows are of one cluster"),
        (
            np.repeat([[0.0, 0.0], [9.0, 9.0]], 10, axis=0),
            KMeans(4, n_init=1, random_state=0),
            "2 of 4 clusters hold no row",
        ),
    ],
)
def test_what_is_no_clustering_is_refused(rows, estimator, says):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fewer distinct rows than clusters
        with pytest.raises(ValueError, match=says):
            Clusters(estimator).fit(rows)
