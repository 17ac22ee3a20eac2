"""The pages of clusterings: how far apart, how large, where; and what moved between versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.comparison import version_lines, versions_page
from pipelines.comparison.page import render
from pipelines.comparison.retraining import compare_candidates
from pipelines.comparison.versions import compare_versions
from pipelines.steps import gate
from tests.served import NOW
from tests.unit.steps import clusters
from tests.unit.steps.learning import RUN

SEARCH = "{name: kmeans, estimator: sklearn.cluster.KMeans, search: {n_clusters: [2, 3]}}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = clusters.world(tmp_path_factory.mktemp("pages"), SEARCH)
    settings = made.context.settings.model_copy(update={"comparison_seconds": 3, "plots": True})
    return replace(made, context=replace(made.context, settings=settings))


@pytest.fixture(scope="module")
def judged(world):
    trained = world.train_all()
    return trained, gate.run(world.context, world.gate_request(trained))


def test_the_page_draws_clusters_and_asks_for_no_truth(world, judged):
    trained, verdict = judged
    found = compare_candidates(world.context, world.built, trained, verdict, RUN)
    (look,) = found.candidates
    assert look.failed == {}
    assert look.importance.losses["a"][0] > look.importance.losses["channel"][0]
    assert look.importance.ends == {}
    assert "nobody has measured how often" in look.importance.untold["a"]
    assert len(look.learning.points) > 1
    page = render(found)
    for words in (
        "silhouettes of the rows",
        "held-out rows by cluster",
        "two principal components",
    ):
        assert words in page
    assert "confusion" not in page


def test_the_run_in_mlflow_has_the_plot(world, judged):
    (trained,), _ = judged
    assert "plots/clusters.png" in world.context.ports.registry.runs[trained.run_id].artifacts


def test_versions_are_compared_by_which_rows_went_where(world, judged, tmp_path):
    first = clusters.crowned(world)
    ours = clusters.later(tmp_path, world.context.ports)
    _, second = clusters.judge(ours, tmp_path.name)
    found = compare_versions(
        ours.context,
        (first.version, first.bundle),
        (second.version, second.bundle),
        now=NOW,
        features=ours.built.version,
    )
    moved = found.contingency
    assert moved.before == moved.after == ["0", "1", "2"]
    stayed = sum(moved.counts[place][place] for place in range(3))
    assert stayed > 0.97 * found.rows.table.num_rows
    assert moved.stability.value > 0.9
    assert found.differences.flips == found.rows.table.num_rows - stayed
    assert version_lines.figures(found)["contingency"]["counts"] == moved.counts
    assert "Which rows went from which cluster to which" in versions_page.render(found)
