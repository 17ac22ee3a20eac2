"""Quantiles in model.yaml: their forms, and what is refused with line and remedy."""

from __future__ import annotations

import pytest

from pipelines.errors import SpecError
from pipelines.spec.load import parse_spec

SPEC = """name: m
owner: o
description: d
task: quantiles
source: {kind: python, function: read}
key: row
target: {column: y}
features: {inputs: [a]}
train: {metric: pinball, holdout: 0.2}
quantiles: [0.05, 0.5, 0.95]
candidates:
  - {name: baseline, estimator: sklearn.dummy.DummyRegressor}
  - {name: boosted, estimator: lightgbm.LGBMRegressor}
gate: {at_least: {coverage: 0.8}, versus_champion: {metric: pinball}}
"""
LEVELS = "quantiles: [0.05, 0.5, 0.95]"
BOOSTED = "lightgbm.LGBMRegressor}"


def parse(old="", new=""):
    assert old in SPEC
    return parse_spec(SPEC.replace(old, new).encode(), "m/model.yaml")


def test_a_list_is_short_for_the_levels():
    spec = parse()
    assert spec.levels == (0.05, 0.5, 0.95)
    assert spec.quantiles.conformal is None
    assert (spec.quantiles.coverage, spec.quantiles.least_rows) == (0.9, 19)


@pytest.mark.parametrize(
    ("conformal", "share"), [("true", 0.2), ("{share: 0.3}", 0.3), ("false", None)]
)
def test_a_promise_is_asked_for_in_short_or_at_length(conformal, share):
    spec = parse(LEVELS, f"quantiles: {{levels: [0.01, 0.9], conformal: {conformal}}}")
    for candidate in spec.candidates:
        assert (candidate.conformal.share if candidate.conformal else None) == share
    assert spec.quantiles.least_rows == 99


@pytest.mark.parametrize("kind", ["pipeline: make", "onnx: net.onnx"])
def test_own_code_and_a_finished_model_may_answer_with_quantiles(kind):
    (_, named) = parse("estimator: lightgbm.LGBMRegressor", kind).candidates
    assert named.quantiles.levels == [0.05, 0.5, 0.95]


def test_a_required_packages_estimator_needs_the_promise():
    ask = (
        f"{LEVELS}\ncandidates:",
        "quantiles: {levels: [0.1, 0.9], conformal: true}\ncandidates:",
    )
    text = SPEC.replace("lightgbm.LGBMRegressor", "pnboost.Line")
    text = text.replace("gate:", "requires: [pnboost==1.0]\ngate:")
    with pytest.raises(
        SpecError, match=r"pnboost\.Line learns no quantiles; write `conformal: true`"
    ):
        parse_spec(text.encode(), "m/model.yaml")
    spec = parse_spec(text.replace(*ask).encode(), "m/model.yaml")
    assert [c.name for c in spec.candidates if c.fenced] == ["boosted"]


def test_candidates_of_quantiles_may_vote():
    more = "  - {name: linear, estimator: sklearn.linear_model.QuantileRegressor}\n"
    vote = "  - {name: both, vote: {linear: 1, boosted: 3}}\n"
    spec = parse("gate: {at", f"{more}{vote}gate: {{at")
    assert [part.name for part in spec.candidate("both").parts] == ["linear", "boosted"]


def test_an_estimator_of_values_needs_the_promise():
    spec = parse(
        f"{LEVELS}\ncandidates:",
        "quantiles: {levels: [0.1, 0.9], conformal: true}\ncandidates:\n"
        "  - {name: linear, estimator: sklearn.linear_model.Ridge}",
    )
    assert [c.name for c in spec.candidates] == ["linear", "baseline", "boosted"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (LEVELS, "quantiles: [0.9, 0.1]", ":10: quantiles.1: 0.1 stands behind 0.9"),
        (LEVELS, "quantiles: [0.1, 0.1]", ":10: quantiles.1: 0.1 stands twice; remove one"),
        (LEVELS, "quantiles: [0, 0.5]", ":10: quantiles.0: must be a number between 0 and 1"),
        (LEVELS, "quantiles: [0.5, 1.5]", ":10: quantiles.1: must be a number between 0 and 1"),
        (LEVELS, "quantiles: [0.5, x]", "quantiles.1: must be a number between 0 and 1, found 'x'"),
        (LEVELS, "quantiles: [true]", "quantiles.0: must be a number between 0 and 1, found True"),
        (LEVELS, "quantiles: []", ":10: quantiles: needs 1 to 25 levels"),
        (LEVELS, "quantiles: 0.9", ":10: quantiles: must be keys and values"),
        (LEVELS, "quantiles: {levels: [0.9, 0.1]}", ":10: quantiles.levels.1: 0.1 stands behind"),
        (LEVELS, "quantiles: {levels: [0.9], conformal: {share: 0.9}}", "must be at most 0.5"),
        (LEVELS, "", "quantiles: missing; write the levels"),
        (BOOSTED, "sklearn.linear_model.Ridge}", ":13: candidates.1.estimator: sklearn.linear_mo"),
        (BOOSTED, "sklearn.linear_model.Ridge}", "learns no quantiles; write `conformal: true`"),
        (BOOSTED, "sklearn.ensemble.RandomForestClassifier}", "cannot do a quantiles task"),
        (BOOSTED, "lightgbm.LGBMRegressor, params: {alpha: 0.3}}", "is set by the levels"),
        (BOOSTED, "lightgbm.LGBMRegressor, search: {objective: [mae]}}", "is set by the levels"),
        (BOOSTED, "lightgbm.LGBMRegressor, early_stopping: {}}", ":13: candidates.1.early_stop"),
        (BOOSTED, "sklearn.linear_model.Ridge, stack: [a, b]}", "name a `vote`, which takes the"),
        ("metric: pinball, h", "metric: coverage, h", ":9: train.metric: coverage is best for a"),
        ("{metric: pinball}", "{metric: width}", ":14: gate.versus_champion.metric: width is be"),
        ("metric: pinball, h", "metric: rmse, h", ":9: train.metric: 'rmse' does not fit"),
        ("metric: pinball, h", "metric: pinball_0.7, h", "needs the level 0.7; add it to `quan"),
        ("coverage: 0.8}", "coverage_0.8: 0.8}", "needs the levels 0.1 and 0.9; add them"),
        ("task: quantiles", "task: regression", ":10: quantiles: belongs to the task quantiles"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(old, new, words):
    with pytest.raises(SpecError) as error:
        parse(old, new)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("metric", "words"),
    [("mae", "mae needs the level 0.5"), ("interval_score", "needs a lower and an upper level")],
)
def test_a_metric_needs_its_levels(metric, words):
    text = SPEC.replace(LEVELS, "quantiles: [0.9]").replace("metric: pinball, h", "metric: M, h")
    with pytest.raises(SpecError, match=words):
        parse_spec(text.replace("M,", f"{metric},").encode(), "m/model.yaml")


def test_automl_proposes_what_learns_quantiles():
    spec = parse("gate:", "automl: true\ngate:")
    assert {c.name for c in spec.candidates} >= {"baseline", "boosted", "lightgbm"}
