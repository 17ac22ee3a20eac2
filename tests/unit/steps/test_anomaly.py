"""An anomaly model through the loop: trained without a truth, judged, packaged, replaced."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.cli.snapshots import describe_sides
from pipelines.errors import BadData
from pipelines.judging.anomaly import anomaly_facts_over_folds
from pipelines.judging.refit_comparison import why_too_few
from pipelines.store.pages import find_page
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


@pytest.mark.slow
def test_the_page_of_candidates_draws_scores_that_no_label_judges(world):
    world.comparison_seconds = 1
    _, trained, _ = world.judge(unlabelled(300))
    page = find_page(world.ports.store, model="loans", kind="comparison", run="r1").decode()
    at, rows = trained[0].threshold.value, trained[0].rows_holdout
    found = re.search(rf"right of the line \({at:.4g}\) they are flagged, (\d+) of {rows} ", page)
    error = trained[0].metrics[PROMISE]
    assert abs(int(found[1]) / rows - 0.05) == pytest.approx(error, abs=1e-9)
    assert "not finite" not in page


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


@pytest.mark.slow
def test_few_labelled_rows_keep_their_promise_over_folds_and_only_labels_count(judging):
    frame = labelled(240, 0.7)
    _, _, judged = judging.judge(frame)
    told = int(frame["fault"].notna().sum())
    assert "fitted again over all 240 rows (5 folds, cut 10 times)" in check(judged, "rows")
    found = check(judged, "flag rate")
    assert re.match(r"\d+ of 240 rows .* are flagged, .* 5.00% is promised", found)
    assert "the promise is kept" in found
    assert check(judged, "labels").startswith(f"{told} of the 240 ")


def test_of_many_rows_with_few_labels_the_labels_say_whether_they_prove_anything(judging):
    rows = pa.Table.from_pandas(labelled(600, 0.1), preserve_index=False)
    spec, everything = judging.context.spec, np.full(600, fill_value=True)
    labels = 600 - rows["fault"].null_count
    few = f"only {labels} labelled rows are held out, and 100 are needed"
    assert why_too_few(spec, rows, everything) == few
    assert describe_sides(spec, rows)[1].endswith("fits both models again over folds of all rows")
    many = pa.Table.from_pandas(labelled(600, 0.9), preserve_index=False)
    assert why_too_few(spec, many, everything) == ""
    assert "labelled rows are new to both" in why_too_few(spec, many, np.arange(600) < 80)


def test_a_promise_without_a_truth_needs_no_labels(world):
    rows = pa.Table.from_pandas(unlabelled(60), preserve_index=False)
    assert why_too_few(world.context.spec, rows, np.full(60, fill_value=True)) == ""
    assert len(describe_sides(world.context.spec, rows)) == 1


def test_a_promise_that_folds_break_is_broken(judging):
    frame = labelled(240, 0.7)
    rows, spec = pa.Table.from_pandas(frame, preserve_index=False), judging.context.spec
    for flagged, kept in ((12, True), (60, False)):
        facts = anomaly_facts_over_folds(spec, rows, np.arange(240) < flagged, learnt_from=192)
        assert facts["flags"].is_kept is kept
        assert (facts["flags"].flagged, facts["flags"].rows) == (flagged, 240)
        assert facts["labelled"] == facts["rows"] == int(frame["fault"].notna().sum())
    assert anomaly_facts_over_folds(spec, rows, None, learnt_from=192) == {}


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


OWN = """
import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline


class Far(OutlierMixin, BaseEstimator):
    def fit(self, x, y=None):
        self.middle_, self.width_ = np.mean(x, axis=0), np.std(x, axis=0)
        return self

    def score_samples(self, x):
        return -np.abs((np.asarray(x) - self.middle_) / self.width_).max(axis=1)


def make(numbers):
    return make_pipeline(make_column_transformer(("passthrough", numbers)), Far())
"""


@pytest.mark.heavy
def test_a_pipeline_of_its_own_keeps_the_promise_and_is_served(world):
    (world.home / "models" / "loans" / "model.py").write_text(OWN)
    forest = f"estimator: {FOREST}, params: {{n_estimators: 10}}"
    world.respec(f"name: forest, {forest}", "name: own, pipeline: make")
    built, trained, judged = world.judge(unlabelled(400))
    assert judged.reasons == []
    assert trained[0].threshold.rows == trained[0].rows_train
    bundle = open_bundle(world.ports.store, world.package(built, trained, judged).bundle)
    assert golden_differences(bundle) == []
    far = {"income": 90_000.0, "late": 2, "region": "north"}
    near = far | {"income": 20_000.0}
    low, high = bundle.predictor.predict([near, far])[:, 0]
    bundle.predictor.close()
    assert low < bundle.manifest.threshold_value < high
