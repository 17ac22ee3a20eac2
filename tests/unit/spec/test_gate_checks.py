"""What a spec may say of the gate's further checks."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.series import sales_spec
from tests.worlds import SPEC

LINE = SPEC.splitlines().index("  min_rows: 50") + 2


def parsed(more):
    text = SPEC.replace("  min_rows: 50\n", f"  min_rows: 50\n  {more}\n", 1)
    return parse_spec(text.encode(), "models/sales/model.yaml")


def test_slices_have_defaults_and_bring_their_columns_to_the_features():
    spec = parsed(
        'slices: {by: [{column: channel}, {where: "PAGES > 3 AND region = 1"}, {found: true}]}'
    )
    assert spec.gate.slices.worse_by == 0.05
    assert spec.gate.columns == ("channel", "PAGES", "region")
    assert spec.built_columns[-1] == "region"
    assert "PAGES" not in spec.built_columns
    assert spec.gate.place_of("region") == ("gate", "slices", "by", 1)


def test_the_metric_of_slices_is_measured_too():
    assert "log_loss" in parsed("slices: {by: [{found: true}], metric: log_loss}").metrics


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("slices: {by: []}", "gate.slices.by: needs at least 1 entries"),
        ("slices: {by: [{column: a, found: true}]}", "write one of `column: NAME`"),
        ("slices: {by: [{}]}", "write one of `column: NAME`"),
        ("slices: {by: [{col: a}]}", "gate.slices.by.0.col: unknown key"),
        ("slices: {by: [{found: false}]}", "gate.slices.by.0.found: must be True"),
        ('slices: {by: [{where: "a <"}]}', "gate.slices.by.0.where: is no expression of SQL"),
        ('slices: {by: [{where: "a IN (SELECT 1)"}]}', "asks another table"),
        ("slices: {by: [{found: true}, {found: true}]}", "by.1.found: stands twice"),
        ("slices: {by: [{found: true}], metric: mae}", "gate.slices.metric: 'mae' does not fit"),
        (
            "slices: {by: [{found: true}], metric: calibration_error}",
            "gate.slices.metric: calibration_error is best for a model that says nothing",
        ),
        (
            "guards: {calibration_error: 0.1}",
            "gate.guards.calibration_error: calibration_error is best for a model that says",
        ),
        ("slices: {by: [{found: true}], worse_by: 2}", "gate.slices.worse_by"),
        ("slices: {by: [{found: true}], min_rows: 3}", "must be at least 30"),
        ("leak: {expected: [age]}", "gate.leak.expected.0: 'age' is no input; remove it"),
        ("leak: {alone: 0}", "gate.leak.alone: must be greater than 0"),
        ("leak: {columns: [a]}", "gate.leak.columns: unknown key"),
        ("fairness: {by: sex}", "gate.fairness: bound at least one of selection_rate"),
        ("fairness: {selection_rate: 0.1}", "gate.fairness.by: missing; add it"),
        ("fairness: {by: sex, selection_rate: 2}", "must be at most 1"),
        ("slices: {by: [{column: Channel}]}", "'Channel' is not built, 'channel' is; write that"),
        ("fairness: {by: PAGES, selection_rate: 0.1}", "gate.fairness.by: 'PAGES' is not built"),
        ("flips: {by: [{found: true}]}", "gate.flips.by.0.found: name a column or a condition"),
        ("flips: {most: 3}", "gate.flips.most: must be at most 1"),
        ("baselines: {}", "gate.baselines: name `dummy: 0.1` or `linear: 0.02`"),
        ("baselines: {tree: 0.1}", "gate.baselines.tree: unknown key"),
        ("robustness: {}", "gate.robustness: bound at least one of noise, missing"),
        ("robustness: {noise: 0.1, metric: mae}", "gate.robustness.metric: 'mae' does not fit"),
        ("robustness: {typos: 0.1}", "gate.robustness.typos: unknown key"),
        ("size: {bundle: 3 MB}", "gate.size.bundle"),
        ("size: {}", "gate.size.bundle: missing; add it"),
        ("memory: {}", "gate.memory.at_most: missing; add it"),
        ("memory: {at_most: 500MB}", "write a whole number with k, m or g, such as 500k or 50m"),
        ("memory: {at_most: 0m}", "gate.memory.at_most"),
        ("memory: {bundle: 50m}", "gate.memory.bundle: unknown key"),
        ("latency: {milliseconds: 0}", "gate.latency.milliseconds: must be greater than 0"),
        ("golden: [{row: {pages: 3, x: 1}, answer: 0.5}]", "golden.0.row.x: 'x' is no input"),
        ("golden: [{row: {pages: 3}, answer: 0.5}]", "golden.0.row: lacks minutes, channel, trend"),
        (
            "golden: [{row: {pages: 3, minutes: 1, channel: a, trend: 1}, answer: yes-please}]",
            "gate.golden.0.answer: must be a number in a binary task",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(more, says):
    with pytest.raises(SpecError, match=re.escape(says)) as caught:
        parsed(more)
    assert f"model.yaml:{LINE}:" in str(caught.value)


def test_the_calibration_error_is_a_ceiling():
    text = SPEC.replace("at_least: {roc_auc: 0.6}", "at_most: {calibration_error: 0.05}")
    assert "calibration_error" in parse_spec(text.encode(), "m").metrics
    for old in ("metric: roc_auc, seed", "metric: roc_auc, confidence"):
        wrong = text.replace(old, old.replace("roc_auc", "calibration_error"))
        with pytest.raises(SpecError, match="best for a model that says nothing"):
            parse_spec(wrong.encode(), "m")


def test_a_personal_column_is_no_slice():
    text = SPEC.replace("lookback: 1d}", "lookback: 1d, personal: {channel: hash}}")
    text = text.replace(
        "  min_rows: 50\n", "  min_rows: 50\n  slices: {by: [{column: channel}]}\n", 1
    )
    with pytest.raises(SpecError, match=r"gate.slices.by.0: 'channel' is personal; its values"):
        parse_spec(text.encode(), "models/sales/model.yaml")


def test_a_forecast_that_makes_no_sense_is_told_beside_slices():
    gate = {"at_most": {"mae": 9}, "versus_champion": {"metric": "mae"}}
    gate["slices"] = {"by": [{"column": "sold_lag_1d"}, {"column": "shop"}]}
    assert sales_spec(gate=gate).built_columns[-1] == "shop"
    with pytest.raises(ValidationError, match="looks 5h back"):
        sales_spec(gate=gate, forecast={"lags": ["5h"]})
