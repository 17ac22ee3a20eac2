"""An anomaly model through the loop: trained without a truth, judged, packaged, replaced."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.errors import BadData
from tests.snapshots import check, loans, make_snapshot

PROMISE = "flag_rate_error_at_5_percent"
FOREST = "sklearn.ensemble.IsolationForest"


@pytest.fixture
def world(tmp_path, ports):
    """A forest that flags the strangest loans; nobody has told which are."""
    made = make_snapshot(tmp_path, ports)
    path = tmp_path / "models" / "loans" / "model.yaml"
    text = path.read_text()
    start = text.index("train:")
    path.write_text(
        text[:start]
        .replace("task: binary", "task: anomaly\nthreshold: {rate: 0.05}")
        .replace("target: {column: fault}\n", "")
        + f"""train: {{metric: {PROMISE}, seed: 1}}
candidates:
  - {{name: forest, estimator: {FOREST}, params: {{n_estimators: 10}}}}
gate: {{at_most: {{{PROMISE}: 0.1}}, versus_champion: {{metric: {PROMISE}}}, min_rows: 50}}
"""
    )
    return made


def unlabelled(rows, first=0):
    return loans(rows, first=first).drop(columns="fault")


def test_without_labels_the_promise_judges_and_the_bundle_keeps_the_threshold(world):
    built, trained, judged = world.judge(unlabelled(600))
    assert judged.reasons == []
    threshold = trained[0].threshold
    assert (threshold.rate, threshold.rows) == (0.05, trained[0].rows_train)
    assert set(trained[0].metrics) == {PROMISE}
    assert "5.00% is promised" in check(judged, "flag rate")
    assert "nothing is proven of what it finds" in check(judged, "unproven")
    bundle = open_bundle(world.ports.store, world.package(built, trained, judged).bundle)
    assert bundle.manifest.threshold == threshold
    assert bundle.manifest.compiled, bundle.manifest.why_native
    assert bundle.manifest.parity <= 1e-5
    assert golden_differences(bundle) == []
    usual = {"income": 20_000.0, "late": 2, "region": "north"}
    strange = {"income": 90_000.0, "late": 19, "region": "moon"}
    low, high = bundle.predictor.predict([usual, strange])[:, 0]
    assert low < threshold.value < high


def test_the_same_rows_are_flagged_by_the_next_version_and_a_guard_may_ask_for_it(world):
    world.crown(unlabelled(600))
    world.later("r2")
    _, _, judged = world.judge(unlabelled(700))
    assert judged.reasons == []
    assert "not proven better than the champion, and cannot be" in check(judged, "unproven")
    assert "their ranks correlate by 0.8" in check(judged, "agreement")
    world.respec("gate: {", "gate: {overlap: 1.0, ")
    world.respec("seed: 1", "seed: 2")
    world.later("r3")
    _, _, judged = world.judge(unlabelled(700))
    assert any("that gate.overlap asks for" in reason for reason in judged.reasons)


def test_rows_unlike_those_that_set_the_threshold_are_refused(world):
    frame = unlabelled(600)
    built, trained, _ = world.judge(frame)
    broken = trained[0].model_copy(
        update={"threshold": trained[0].threshold.model_copy(update={"value": 0.45})}
    )
    from pipelines.messages import GateRequest
    from pipelines.steps import gate

    world.later("r2")
    request = GateRequest(run=world.run, features=built, train=[broken])
    judged = gate.run(world.context, request)
    assert judged.verdict == "refuse"
    assert "it is broken" in check(judged, "flag rate")


def labelled(rows, share):
    """Loans of which a share has a label: anomalies pay or earn far from what others do."""
    frame = loans(rows)
    far = (frame["late"] >= 5) | ((frame["income"] - 20_000).abs() > 9_000)
    told = np.random.default_rng(5).random(rows) < share
    return frame.assign(fault=np.where(told, far.astype(float), np.nan))


@pytest.fixture
def judging(world):
    world.respec("key: [customer]", "key: [customer]\ntarget: {column: fault}")
    world.respec(f"train: {{metric: {PROMISE}", "train: {metric: average_precision")
    world.respec(f"versus_champion: {{metric: {PROMISE}}}", "versus_champion: {metric: roc_auc}")
    return world


def test_labels_judge_and_rows_without_one_train_all_the_same(judging):
    _, trained, judged = judging.judge(labelled(900, 0.6))
    assert trained[0].rows_train + trained[0].rows_holdout == 900
    assert trained[0].rows_without_label > 300
    assert trained[0].metrics["roc_auc"] > 0.8
    assert "do not count in what needs the truth" in check(judged, "labels")
    assert "is better than the dummy's 0.500" in check(judged, "versus dummy")
    assert judged.reasons == []
    assert check(judged, "rows").startswith("11")  # held-out rows with a label


def test_labels_that_are_all_alike_judge_nothing(judging):
    frame = labelled(400, 0.5)
    frame.loc[frame["fault"] == 1, "fault"] = 0.0
    with pytest.raises(BadData, match=r"The labels in fault are all false") as caught:
        judging.judge(frame)
    assert caught.value.at == ("target", "column")


def test_labels_are_true_and_false_and_nothing_else(judging):
    frame = labelled(400, 0.5)
    frame.loc[0, "fault"] = -1.0
    with pytest.raises(BadData, match=r"holds values besides 0 and 1"):
        judging.judge(frame)


def test_too_few_rows_allow_no_threshold(world):
    with pytest.raises(BadData, match=r"a threshold for 0.05 needs 19 finite scores"):
        world.judge(unlabelled(20))
