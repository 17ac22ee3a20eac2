"""A window is watched without labels: sizes of the clusters, and how far they are apart."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pipelines.verdicts import words
from tests.served import trained
from tests.unit.steps.looks import DAY, figures
from tests.worlds import make_world, visits

CHANGES = {
    "task: binary": "task: cluster",
    "target: {column: bought, known_after: 1h}\n": "",
    "[pages, minutes, channel, trend], lookback: 1d": "[pages, minutes], lookback: 1d",
    "metric: roc_auc, seed": "metric: silhouette, seed",
    "  - {name: baseline, estimator: sklearn.dummy.DummyClassifier}\n": "",
    "{name: linear, estimator: sklearn.linear_model.LogisticRegression, search: {C: [0.1, 1.0]}}": (
        "{name: kmeans, estimator: sklearn.cluster.KMeans, params: {n_clusters: 2}}"
    ),
    "at_least: {roc_auc: 0.6}": "at_least: {silhouette: 0.2}",
    "metric: roc_auc, confidence": "metric: silhouette, confidence",
    "predictions: {method: wasserstein, threshold: 0.5}": (
        "predictions: {method: jensenshannon, threshold: 0.2}"
    ),
    "numbers: {method: wasserstein, threshold: 1}": (
        "numbers: {method: wasserstein, threshold: 9}\n  performance: {tolerance: 0.1}"
    ),
}


def kinds(day, share=0.5, noise=1):
    """Raw visits of two kinds: short ones of few pages, and long ones of many."""
    frame = visits(day)
    rng = np.random.default_rng([9, day])
    long = rng.random(len(frame)) < share
    frame["pages"] = rng.integers(1, 6 * noise, len(frame)) + long * 18
    frame["minutes"] = np.round(rng.normal(6, noise, len(frame)) + long * 12, 2)
    return frame


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    world = make_world(tmp_path_factory.mktemp("clusters") / "home")
    for old, new in CHANGES.items():
        world.respec(old, new)
    for day in range(8):
        world.rewrite(day, kinds(day))
    return trained(world, DAY)


@pytest.fixture
def watched(trained_once, tmp_path):
    return trained_once.copied(tmp_path / "home")


def test_a_window_like_those_before_is_no_drift_and_its_silhouette_is_told(watched):
    found = watched.look(DAY)
    assert found.verdict == "no_drift", found.reasons
    assert found.metric == "silhouette"
    assert found.live == pytest.approx(found.expected, abs=0.05)
    facts = figures(watched, found)["facts"]
    assert facts["performance"]["rows"] == found.rows
    assert facts["performance"]["bad_end"] < found.live < facts["performance"]["good_end"]


def test_other_sizes_of_the_clusters_are_drift(watched):
    watched.world.rewrite(DAY, kinds(DAY, share=0.05))
    found = watched.look(DAY)
    assert found.verdict == "drift"
    assert figures(watched, found)["facts"]["predictions"]["drifted"]


def test_clusters_that_are_no_longer_apart_are_drift(watched):
    watched.world.rewrite(DAY, kinds(DAY, noise=4))
    found = watched.look(DAY)
    assert found.verdict == "drift"
    assert figures(watched, found)["facts"]["performance"]["worse"]
    assert any("silhouette" in reason for reason in found.reasons)


def test_without_a_tolerance_of_its_owner_a_silhouette_is_shown_and_decides_nothing(watched):
    watched.world.respec("  performance: {tolerance: 0.1}\n", "")
    watched.world.rewrite(DAY, kinds(DAY, noise=4))
    found = watched.look(DAY)
    fact = figures(watched, found)["facts"]["performance"]
    assert (fact["worse"], fact["tolerance"]) == (False, None)
    assert fact["good_end"] < found.expected, "with a tolerance of 0 it would be worse"
    assert not any("is tolerated" in reason for reason in found.reasons)


def test_traffic_is_watched_by_its_own_answers_without_labels(watched):
    watched.serve(watched.rows(DAY))
    found = watched.look(DAY)
    assert found.source == "traffic"
    assert found.verdict == "no_drift", found.reasons
    assert found.live == pytest.approx(found.expected, abs=0.05)


def test_a_cluster_has_no_label_and_nothing_speaks_of_one(watched):
    watched.world.rewrite(DAY, kinds(DAY, noise=4))
    batches = watched.look(DAY)
    watched.serve(watched.rows(DAY))
    traffic = watched.look(DAY, "traffic")
    assert (batches.source, traffic.source) == ("batches", "traffic")
    for found in (batches, traffic):
        assert found.labelled is None
        assert figures(watched, found)["coverage"] is None
        assert figures(watched, found)["counts"]["labelled"] == 0
        page = watched.ports.store.get(found.page).decode()
        said = page[page.index("<body>") :]
        assert f"silhouette on {found.rows} rows; more is better" in " ".join(said.split())
        assert "label" not in re.sub('aria-label="', "", said)
        assert not any("label" in reason for reason in found.reasons)
        assert not any("label" in line.text for line in words.drift(found))
    assert any("silhouette on 240 rows is" in reason for reason in batches.reasons)
