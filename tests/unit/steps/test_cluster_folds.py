"""Clusters of a snapshot that is too small to hold rows out: judged over folds of all its rows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.snapshots import check, loans, make_snapshot

pytestmark = pytest.mark.slow

SPEC = """train: {metric: silhouette, seed: 1}
candidates:
  - {name: kmeans, estimator: sklearn.cluster.KMeans, params: {n_clusters: 2}}
gate: {at_least: {silhouette: 0.3}, versus_champion: {metric: silhouette}}
"""


@pytest.fixture
def world(tmp_path, ports):
    made = make_snapshot(tmp_path, ports)
    path = tmp_path / "models" / "loans" / "model.yaml"
    text = path.read_text()
    path.write_text(
        text[: text.index("train:")]
        .replace("task: binary", "task: cluster")
        .replace("target: {column: fault}\n", "")
        .replace("[income, late, region]", "[income, late]")
        + SPEC
    )
    return made


def two_kinds(rows, apart):
    frame = loans(rows).drop(columns="fault")
    rich = np.arange(rows) % 2
    return frame.assign(income=frame["income"] + apart * rich, late=frame["late"] + 15 * rich)


def test_two_kinds_are_found_over_folds_and_beat_chance(world):
    _, _, judged = world.judge(two_kinds(120, 90_000))
    assert "fitted again over all 120 rows (5 folds, cut 10 times)" in check(judged, "rows")
    assert judged.metrics["silhouette"] > 0.5
    assert "is better than the dummy's" in check(judged, "versus dummy")
    assert judged.reasons == []


def test_a_silhouette_below_the_bound_is_refused_over_folds_too(world):
    world.respec("at_least: {silhouette: 0.3}", "at_least: {silhouette: 0.95}")
    _, _, judged = world.judge(two_kinds(120, 90_000))
    assert judged.verdict == "refuse"
    assert any("silhouette" in reason for reason in judged.reasons)
