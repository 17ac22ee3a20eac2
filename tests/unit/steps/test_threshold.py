"""A threshold and a cost through the loop: trained, judged, packaged."""

import logging

import numpy as np
import pytest

from pipelines.bundle.load import open_bundle
from pipelines.errors import SpecError
from pipelines.store.pages import find_page
from tests.snapshots import check, loans, make_snapshot

COST = """
import numpy as np


def cost(y, prediction, rows):
    return np.where(y > prediction, 20.0, 0.0) + np.where(y < prediction, 10.0, 0.0)
"""
DECLARED = """metrics: {cost: {better: smaller, unit: EUR}}
threshold: {for: cost}
candidates:"""


@pytest.fixture
def world(tmp_path, ports):
    made = make_snapshot(tmp_path, ports)
    (tmp_path / "models" / "loans" / "metrics.py").write_text(COST)
    made.respec("candidates:", DECLARED)
    made.respec("versus_champion: {metric: roc_auc}", "versus_champion: {metric: cost}")
    return made


def test_a_cost_chooses_the_threshold_and_judges_and_the_bundle_keeps_both(world, caplog):
    caplog.set_level(logging.INFO, "perennial")
    world.plots = True
    built, trained, judged = world.judge(loans(1_400))
    best = next(t for t in trained if t.candidate == "linear")
    assert best.threshold.chosen_for == "cost"
    assert best.threshold.rows == best.rows_train
    assert best.threshold.score < best.threshold.default_score
    # A missed loan costs twice a false alarm: at 1 / (1 + 2) either decision costs the same.
    assert best.threshold.value == pytest.approx(1 / 3, abs=0.1)
    assert judged.reasons == []
    said = check(judged, "versus dummy")
    assert "EUR per row less" in said
    assert f"cost {best.metrics['cost']:.3f} EUR per row is better than the dummy's" in said
    assert f"threshold {best.threshold.value:g}" in caplog.text
    run = world.ports.registry.metrics(best.run_id)
    assert run["threshold"] == best.threshold.value
    assert run["holdout_cost"] == pytest.approx(best.metrics["cost"])
    curve = world.ports.registry.runs[best.run_id].artifacts["plots/threshold.png"]
    assert curve.startswith(b"\x89PNG")
    packaged = world.package(built, trained, judged)
    manifest = open_bundle(world.ports.store, packaged.bundle).manifest
    assert manifest.threshold == best.threshold
    assert manifest.metrics["cost"] == pytest.approx(best.metrics["cost"])
    found = find_page(world.ports.store, model="loans", kind="verdict", run=world.run)
    page = found.decode()
    assert "EUR per row" in page
    assert f"decides for the positive class above {best.threshold.value:g}" in page


def test_champion_and_challenger_are_each_judged_at_their_own_threshold(world):
    world.crown(loans(1_400))
    world.later("r2")
    world.respec("threshold: {for: cost}", "threshold: 0.9")
    _, _, judged = world.judge(loans(1_400))
    assert judged.verdict == "refuse"
    assert judged.threshold.value == 0.9
    said = check(judged, "versus champion")
    assert "not proven better than the champion's" in said
    assert "EUR per row more" in said


@pytest.mark.slow
def test_few_rows_are_judged_over_folds_with_a_threshold_of_each(world):
    _, trained, judged = world.judge(loans(80))
    assert "fitted again over all 80 rows" in check(judged, "rows")
    assert judged.metrics["cost"] is not None
    assert np.isfinite(judged.metrics["cost"])
    assert trained[1].threshold.rows == trained[1].rows_train


def test_another_metrics_file_is_another_model(world):
    before = world.context.code
    path = world.home / "models" / "loans" / "metrics.py"
    path.write_text(COST.replace("20.0", "60.0"))
    assert world.context.code != before


def test_a_metric_that_fails_is_told_by_train(world):
    path = world.home / "models" / "loans" / "metrics.py"
    path.write_text(COST.replace("return np", "return no.np"))
    with pytest.raises(SpecError, match=r"models/loans/metrics.py: NameError.*line 6"):
        world.train(world.build(loans(400)))
