"""The gate writes numbers so that what it tells apart can be told apart, and in their unit."""

from __future__ import annotations

import pytest

from pipelines.science.bootstrap import Comparison
from pipelines.science.gate.numbers import GateMetric, metrics_of, write_number
from pipelines.spec.own_metrics import OwnMetric
from tests.unit.science.gate.facts import GATE


@pytest.mark.parametrize(
    ("value", "beside", "text"),
    [
        pytest.param(0.7, None, "0.700", id="alone"),
        pytest.param(0.7, 0.7, "0.700", id="beside its equal"),
        pytest.param(0.70004, 0.70001, "0.70004", id="as many decimals as are needed"),
        pytest.param(12_345_678.9, 1.0, "1.23457e+07", id="where decimals say nothing"),
    ],
)
def test_a_number_has_as_many_decimals_as_tell_it_apart(value, beside, text):
    assert write_number(value, beside) == text


def comparison(ours, theirs):
    return Comparison("cost", ours, theirs, theirs - ours, 1.5, 0.99, 0.95, 30, "days")


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        pytest.param(7.0, 9.0, "2 EUR less", id="less"),
        pytest.param(9.0, 7.0, "2 EUR more", id="more"),
    ],
)
def test_what_has_a_unit_is_told_in_it(ours, theirs, words):
    gain = GateMetric("cost", "EUR").write_gain(comparison(ours, theirs))
    assert gain == f"{words}, better by at least +1.5 EUR with 95% confidence"
    bare = GateMetric("cost").write_gain(comparison(ours, theirs))
    assert bare == f"by {theirs - ours:+.4g}, at least +1.5 with 95% confidence"


def test_a_gates_metrics_are_the_catalogues_or_the_models_own():
    gate = GATE.model_copy(update={"at_least": {"cost": 1.0, "magic": 1.0}})
    own = OwnMetric(better="smaller", unit="EUR", per="total")
    found = metrics_of(gate, {"cost": own})
    assert found["cost"] == GateMetric("cost", "EUR", greater_is_better=False)
    assert found["roc_auc"] == GateMetric("roc_auc", greater_is_better=True)
    assert found["magic"] == GateMetric("magic")
