"""What a spec of an anomaly task may say, and what is refused with its line."""

import re

import pytest

from pipelines.errors import SpecError
from pipelines.spec import parse_spec

SPEC = """name: odd
owner: shop
description: Which visit is odd?
task: anomaly
source: {kind: files, uri: "raw.csv"}
key: [visit]
threshold: {rate: 0.05}
features: {inputs: [pages, channel]}
train: {metric: flag_rate_error_at_5_percent}
candidates:
  - {name: forest, estimator: sklearn.ensemble.IsolationForest}
gate:
  at_most: {flag_rate_error_at_5_percent: 0.02}
  versus_champion: {metric: flag_rate_error_at_5_percent}
"""
FOREST = "estimator: sklearn.ensemble.IsolationForest"
METRIC = "train: {metric: flag_rate_error_at_5_percent}"


def parsed(old="", new="", text=SPEC):
    assert old in text
    return parse_spec(text.replace(old, new).encode(), "models/odd/model.yaml")


def test_without_a_target_the_promise_alone_judges():
    spec = parsed()
    assert not spec.has_target
    assert spec.metrics == ("flag_rate_error_at_5_percent",)


def test_with_a_target_labels_judge_and_settings_are_searched():
    text = SPEC.replace("key: [visit]", "key: [visit]\ntarget: {column: fraud}")
    text = text.replace(METRIC, "train: {metric: average_precision}")
    spec = parsed(FOREST, f"{FOREST}, search: {{n_estimators: [50, 100]}}", text)
    assert spec.metrics == ("average_precision", "flag_rate_error_at_5_percent")


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("rate: 0.05", "rate: 0.6", 7, "threshold.rate: must be at most 0.5"),
        ("rate: 0.05", "rate: 0", 7, "threshold.rate: must be greater than 0"),
        ("{rate: 0.05}", "0.3", 7, "scores have no scale of their own"),
        ("{rate: 0.05}", "{for: f1}", 7, "write the share of rows to flag"),
        (
            FOREST,
            "estimator: sklearn.neighbors.LocalOutlierFactor",
            11,
            "write `params: {novelty: true}`",
        ),
        (FOREST, "estimator: sklearn.ensemble.RandomForestClassifier", 11, "cannot do"),
        (FOREST, f"{FOREST}, search: {{n_estimators: [5, 9]}}", 11, "cannot tell which is better"),
        (FOREST, f"{FOREST}, steps: [{{step: target}}]", 11, "learns from the target"),
        (FOREST, f"{FOREST}, calibrate: sigmoid", 11, "calibrate"),
        (METRIC, "train: {metric: roc_auc}", 9, "needs labels, and there is no target"),
        (
            METRIC,
            "train: {metric: flag_rate_error_at_1_percent}",
            9,
            "write flag_rate_error_at_5_percent",
        ),
        ("gate:", "automl: true\ngate:", 12, "proposes no candidates for an anomaly task"),
        (
            "gate:",
            "  - {name: two, estimator: sklearn.svm.OneClassSVM}\ngate:",
            12,
            "keep one candidate",
        ),
        ("gate:", "metrics: {cost: {better: smaller}}\ngate:", 12, "no metric of its own"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(old, new, line, says):
    with pytest.raises(SpecError, match=re.escape(says)) as caught:
        parsed(old, new)
    assert f"model.yaml:{line}:" in str(caught.value)


def test_other_tasks_promise_no_rate_and_no_overlap():
    text = SPEC.replace("task: anomaly", "task: binary\ntarget: {column: bought}")
    with pytest.raises(SpecError, match=r"threshold.rate: belongs to an anomaly task"):
        parsed("gate:", "gate:\n  overlap: 0.5", text)
    with pytest.raises(SpecError, match=r"gate.overlap: belongs to an anomaly task"):
        parsed("gate:", "gate:\n  overlap: 0.5", text.replace("threshold: {rate: 0.05}\n", ""))
