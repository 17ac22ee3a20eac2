"""A clustering through training, gate and packaging: first, and against a champion."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.bundle.rows import feed_from_table
from tests.unit.steps import clusters
from tests.unit.steps.clusters import GROUPS, crowned, days, judge, later, world

CENTRES = [{"a": a, "b": b, "channel": "mail"} for a, b in GROUPS.tolist()]
TWO = "{name: two, estimator: sklearn.cluster.KMeans, params: {n_clusters: 2}}"
FOUR = "{name: four, estimator: sklearn.cluster.KMeans, params: {n_clusters: 4}}"
MIXTURE = "{name: mix, estimator: sklearn.mixture.GaussianMixture, params: {n_components: 3}}"


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    """A world with a champion of three clusters; its ports are copied for nobody: read it only."""
    made = world(tmp_path_factory.mktemp("first"))
    return made, crowned(made)


def opened(made, packaged):
    return open_bundle(made.context.ports.store, packaged.bundle)


def names_of(bundle):
    """What the version calls the three groups."""
    classes = bundle.manifest.inputs.classes
    return [classes[place] for place in bundle.predictor.predict(CENTRES).argmax(axis=1)]


def check_of(judged, name):
    return next(check for check in judged.checks if check.name == name)


def test_the_first_version_is_judged_against_chance_and_compiled(champion):
    made, packaged = champion
    bundle = opened(made, packaged)
    manifest = bundle.manifest
    assert packaged.compiled, packaged.why_native
    assert golden_differences(bundle) == []
    assert manifest.inputs.classes == ["0", "1", "2"]
    assert sorted(names_of(bundle)) == ["0", "1", "2"]
    assert manifest.clusters.champion is None
    assert manifest.metrics["silhouette"] > 0.5
    assert set(manifest.metrics) == {"silhouette", "calinski_harabasz"}


def test_its_watch_compares_with_its_own_clusters_of_the_held_out_rows(champion):
    made, packaged = champion
    bundle = opened(made, packaged)
    from pipelines.watch import reference

    store = made.context.ports.store
    found = reference.read(store, bundle.manifest.reference, bundle.manifest.inputs)
    assert set(found.predictions) == {"0", "1", "2"}
    assert np.unique(found.predictions, return_counts=True)[1].min() > 40


def test_a_version_of_newer_rows_takes_over_and_every_group_keeps_its_name(champion, tmp_path):
    made, packaged = champion
    ours = later(tmp_path, made.context.ports, KMEANS_OF_ANOTHER_SEED)
    judged, next_one = judge(ours, tmp_path.name)
    versus = check_of(judged, "versus champion")
    assert versus.passed
    assert "the clusters are the same ones: stability" in versus.detail
    assert "keep their cluster" in check_of(judged, "names of clusters").detail
    assert names_of(opened(ours, next_one)) == names_of(opened(made, packaged))
    named = opened(ours, next_one).manifest.clusters
    assert (named.champion, named.new, named.gone) == (packaged.version, [], [])
    assert named.kept > 0.95


KMEANS_OF_ANOTHER_SEED = (
    "{name: kmeans, estimator: sklearn.cluster.KMeans, params: {n_clusters: 3, random_state: 11}}"
)


@pytest.mark.parametrize(
    ("candidate", "why"),
    [(TWO, "the clusters are others: stability"), (FOUR, "may be worse by more than 5%")],
)
def test_another_clustering_that_is_not_better_is_refused(champion, tmp_path, candidate, why):
    made, _ = champion
    judged, _ = judge(later(tmp_path, made.context.ports, candidate), tmp_path.name)
    assert judged.verdict == "refuse"
    versus = check_of(judged, "versus champion")
    assert "not proven better" in versus.detail
    assert why in versus.detail


def test_another_clustering_that_is_better_takes_over_with_new_names(champion, tmp_path):
    made, packaged = champion
    groups = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    tables = days(clusters.DAYS, groups=groups)
    ours = later(tmp_path, made.context.ports, FOUR, tables)
    judged, next_one = judge(ours, tmp_path.name)
    assert judged.verdict == "promote", judged.reasons
    bundle = opened(ours, next_one)
    before = set(opened(made, packaged).manifest.inputs.classes)
    assert bundle.manifest.clusters.used == 4
    assert set(bundle.manifest.inputs.classes) - before == {"3"}
    assert "1 cluster is new" in check_of(judged, "names of clusters").detail
    answers = bundle.predictor.predict_feed(
        feed_from_table(bundle.manifest.inputs.columns, tables[0])
    )
    assert (answers.argmax(axis=1) == np.unique(answers.argmax(axis=1))[:, None]).any(axis=0).all()
    assert answers.shape == (90, 4)


def test_a_champion_that_cannot_answer_gives_no_name_away(champion, tmp_path):
    made, _ = champion
    tables = [t.rename_columns(["visit", "at", "a", "c", "channel"]) for t in days(clusters.DAYS)]
    text = clusters.cluster_spec().replace("[a, b, channel]", "[a, c, channel]")
    from tests.unit.steps.learning import learning

    ours = learning(
        tmp_path, text, tables=tables, outside=made.context.ports, run="later", first=clusters.DAYS
    )
    judged, next_one = judge(ours, tmp_path.name)
    assert judged.incident
    assert opened(ours, next_one).manifest.inputs.classes == ["3", "4", "5"]


@pytest.mark.parametrize("candidate", [TWO, MIXTURE])
def test_mixtures_and_other_numbers_of_clusters_train_too(candidate, tmp_path):
    made = world(tmp_path, candidate)
    (trained,) = made.train_all()
    assert trained.cv_score > 0.3
    assert trained.metrics["silhouette"] > 0.3


def test_the_number_of_clusters_is_searched(tmp_path):
    candidate = "{name: kmeans, estimator: sklearn.cluster.KMeans, search: {n_clusters: [2, 3, 5]}}"
    (trained,) = world(tmp_path, candidate).train_all()
    assert trained.params == {"n_clusters": 3}
    assert trained.settings_tried == 3
