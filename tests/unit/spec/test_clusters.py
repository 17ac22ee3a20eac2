"""What a spec of a clustering may say, and what it may not, each with its line."""

from __future__ import annotations

import re

import pytest

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from pipelines.spec.estimators import ESTIMATORS
from tests.unit.steps.clusters import KMEANS, cluster_spec
from tests.worlds import SPEC


def parsed(text):
    return parse_spec(text.encode(), "models/visits/model.yaml")


def test_a_clustering_has_no_target_and_needs_none():
    spec = parsed(cluster_spec())
    assert not spec.has_target
    assert spec.built_columns == ["visit", "at", "a", "b", "channel"]
    assert spec.metrics == ("silhouette",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("key: [visit]", "key: [visit]\ntarget: {column: y}", "a cluster task has none; remove it"),
        ("n_clusters: 3", "n_clusters: 1", "one cluster tells nothing; write 2 or more"),
        (
            "params: {n_clusters: 3}",
            "search: {n_clusters: [1, 2]}",
            "one cluster tells nothing; begin with 2",
        ),
        ("cluster.KMeans", "cluster.DBSCAN", "cannot say of a new row which cluster it is of"),
        ("cluster.KMeans", "cluster.AgglomerativeClustering", "name KMeans or BisectingKMeans"),
        ("cluster.KMeans", "cluster.Birch", "cannot be stored without pickle"),
        ("sklearn.cluster.KMeans", "sklearn.svm.SVC", "cannot do a cluster task"),
        ("params:", "calibrate: sigmoid, params:", "corrects probabilities"),
        (
            "params:",
            "steps: [{step: select, by: k_best}], params:",
            "select learns from a target, and a cluster task has none",
        ),
        (
            "params:",
            "steps: [{step: target, columns: [channel]}], params:",
            "target learns from a target",
        ),
        ("metric: silhouette, seed", "metric: roc_auc, seed", "does not fit a cluster task"),
        ("metric: silhouette, seed", "metric: stability, seed", "needs a champion to compare with"),
        (
            "at_least: {silhouette: 0.3}",
            "at_least: {stability: 0.3}",
            "write versus_champion: {stability: 0.8}",
        ),
        ("confidence: 0.9", "stability: 1.5", "stability"),
        ("gate:", "automl: true\ngate:", "proposes no candidates for a cluster task"),
        ("gate:", "threshold: 0.3\ngate:", "a cluster task has no threshold"),
        ("gate:", "metrics: {cost: {better: smaller}}\ngate:", "no true values to compare"),
        (
            "sklearn.cluster.KMeans, params: {n_clusters: 3}",
            "sklearn.mixture.GaussianMixture, params: {n_components: 1}",
            "one cluster tells nothing",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(old, new, says):
    text = cluster_spec()
    assert old in text
    with pytest.raises(SpecError, match=re.escape(says)) as caught:
        parsed(text.replace(old, new, 1))
    assert re.search(r"model\.yaml:\d+:", str(caught.value))


def test_rows_have_weights_where_the_estimator_takes_them():
    text = cluster_spec().replace("seed: 3", "seed: 3, sample_weight: w")
    assert parsed(text).train.sample_weight == "w"
    mixture = "{name: mix, estimator: sklearn.mixture.GaussianMixture}"
    with pytest.raises(SpecError, match="takes no weights of rows"):
        parsed(text.replace(KMEANS, mixture))


def test_only_a_clustering_is_the_same_as_another():
    text = SPEC.replace("confidence: 0.9", "confidence: 0.9, stability: 0.9")
    with pytest.raises(SpecError, match="belongs to a cluster task, this one is binary"):
        parsed(text)


def test_what_finds_clusters_is_no_classifier():
    tasks = {name: e.tasks for name, e in ESTIMATORS.items() if "cluster" in e.tasks}
    assert {"sklearn.cluster.KMeans", "sklearn.mixture.GaussianMixture"} <= set(tasks)
    assert not any({"binary", "multiclass", "regression"} & each for each in tasks.values())
