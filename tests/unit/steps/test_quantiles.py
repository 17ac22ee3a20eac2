"""A model of quantiles through training, gate and packaging, on few rows without time."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.comparison.version_facts import find_bundle
from pipelines.comparison.versions import compare_versions
from pipelines.comparison.versions_page import render
from pipelines.errors import BadData
from pipelines.store.pages import find_page
from pipelines.watch.reference import read
from tests.snapshots import check, loans, make_snapshot

OLD = """task: binary
"""
NEW = """task: quantiles
quantiles: {levels: [0.1, 0.5, 0.9], conformal: {share: 0.3, tolerance: 0.05}}
"""
CANDIDATES = """  - {name: baseline, estimator: sklearn.dummy.DummyClassifier}
  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}
gate: {at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc}, guards: {log_loss: 0.1}}
"""
OF_LEVELS = """  - {name: baseline, estimator: sklearn.dummy.DummyRegressor}
  - {name: linear, estimator: sklearn.linear_model.Ridge}
gate:
  at_least: {coverage: 0.6}
  versus_champion: {metric: pinball}
  guards: {interval_score: 0.1, mae: 0.1}
"""


def waits(rows, *, first=0, signal=1.0):
    """Loans with how long each takes: longer the later they were before, and more uncertain."""
    frame = loans(rows, first=first)
    noise = np.random.default_rng(3).normal(size=first + rows)[first:]
    return frame.assign(
        wait=np.round(signal * frame["late"] + noise * (0.5 + frame["late"] / 4), 3)
    )


def make_quantiles(home, ports):
    """A snapshot of loans whose model learns how long each takes, at three levels."""
    world = make_snapshot(home, ports)
    world.respec(OLD, NEW)
    world.respec("{column: fault}", "{column: wait}")
    world.respec("metric: roc_auc, seed", "metric: pinball, seed")
    world.respec(CANDIDATES, OF_LEVELS)
    return world


@pytest.fixture
def world(tmp_path, ports):
    return make_quantiles(tmp_path, ports)


def test_it_is_promoted_with_its_promise_and_packed_with_its_levels(world, ports):
    built, trained, judged = world.judge(waits(900))
    assert judged.reasons == []
    assert "does not disprove the promised 0.8" in check(judged, "promise")
    assert "is better than the dummy's" in check(judged, "versus dummy")
    assert set(trained[1].metrics) >= {"pinball", "coverage", "width", "interval_score", "mae"}
    packaged = world.package(built, trained, judged)
    assert packaged.compiled, packaged.why_native
    bundle = open_bundle(ports.store, packaged.bundle)
    assert bundle.manifest.inputs.answer_names == ["0.1", "0.5", "0.9"]
    assert bundle.manifest.settings.corrected_on == 0.3
    assert golden_differences(bundle) == []
    sample = read(ports.store, bundle.manifest.reference, bundle.manifest.inputs)
    assert sample.predictions.ndim == 1, "the median of each held-out row is watched"


def test_its_page_draws_reliability_and_a_fan(world, ports):
    world.comparison_seconds = 1
    world.judge(waits(700))
    page = find_page(ports.store, model="loans", kind="comparison", run="r1")
    assert page is not None
    text = page.decode()
    assert "the share of outcomes below each level" in text
    assert "mean pinball loss" in text


def test_few_rows_are_judged_over_folds_against_the_champion_fitted_again(world):
    world.crown(waits(700))
    world.later("r2")
    _, _, judged = world.judge(waits(400))
    assert "fitted again over all 400 rows" in check(judged, "rows")
    assert "the promised 0.8" in check(judged, "promise")
    assert "not proven better than the champion's" in check(judged, "versus champion")
    assert "INCIDENT" not in str(judged.checks)


def test_a_champion_of_other_levels_is_an_incident_and_one_of_more_levels_is_not(world):
    world.crown(waits(900))
    world.later("r2")
    world.respec("levels: [0.1, 0.5, 0.9]", "levels: [0.05, 0.5, 0.95]")
    _, _, judged = world.judge(waits(900))
    assert "answers at the levels 0.1, 0.5, 0.9 only" in check(judged, "champion")
    world.later("r3")
    world.respec("levels: [0.05, 0.5, 0.95]", "levels: [0.1, 0.5]")
    world.respec("coverage: 0.6", "coverage: 0.2")
    _, _, judged = world.judge(waits(900))
    assert "the champion's" in check(judged, "versus champion")
    assert "INCIDENT" not in str(judged.checks)


def test_a_promise_that_held_out_rows_disprove_is_refused(world):
    """The spread has changed on the held-out side alone, which no correction has seen."""
    frame = waits(900)
    held = _held(world, frame)
    frame.loc[held, "wait"] = frame["late"] + 6 * (frame["wait"] - frame["late"])
    _, _, judged = world.judge(frame)
    assert judged.verdict == "refuse"
    assert "breaks the promised 0.8" in check(judged, "promise")


def _held(world, frame):
    import pyarrow as pa

    from pipelines.data.sides import held_out, sides_of

    table = pa.Table.from_pandas(frame, preserve_index=False)
    return held_out(table, sides_of(world.context.spec), world.context.spec.key)


def test_too_few_rows_to_promise_on_are_refused_with_their_place(world):
    world.respec("levels: [0.1, 0.5, 0.9]", "levels: [0.005, 0.5, 0.995]")
    with pytest.raises(BadData, match=r"cannot be promised from fewer than 199") as error:
        world.judge(waits(400))
    assert error.value.at == ("quantiles", "conformal")


def test_two_versions_are_compared_by_their_levels(world):
    world.crown(waits(900, signal=0.5))
    world.later("r2")
    world.crown(waits(900))
    pair = [(v, find_bundle(world.context, v)) for v in ("1", "2")]
    found = compare_versions(world.context, *pair, now=world.now)
    assert {p.metric for p in found.metrics} >= {"pinball", "coverage", "interval_score", "mae"}
    assert found.differences is not None
    assert found.differences.farthest[0][0].count(" / ") == 2
    assert "pinball" in render(found)
