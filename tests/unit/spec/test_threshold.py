"""What a spec may say of a threshold and of metrics of its own, and what it may not."""

import re

import pytest

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.worlds import SPEC

COST = "metrics: {cost: {better: smaller, unit: EUR}}\n"


def parsed(more, text=SPEC):
    return parse_spec((text + more).encode(), "models/sales/model.yaml")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("threshold: 1.5", "must be a number between 0 and 1 such as 0.3, or `{for: METRIC}`"),
        ("threshold: 0", "must be a number between 0 and 1"),
        ("threshold: true", "must be a number between 0 and 1"),
        ("threshold: {for: roc_auc}", "roc_auc is the same at every threshold"),
        ("threshold: {for: mae}", "'mae' is no metric of a binary task"),
        ("threshold: {for: price}", "'price' is no metric of a binary task"),
        ("threshold: {for: price}", "One of your own is declared too: `metrics: {cost: "),
        ("metrics: {f1: {better: greater}}", "is a metric of the catalogue; give yours another"),
        ("metrics: {cost: {better: less}}", "metrics.cost.better"),
        ("metrics: {cost: {better: smaller, unit: <b>}}", "without blanks, <, > and &"),
        ("metrics: {Cost: {better: smaller}}", "begin with a lower-case letter"),
        (
            "metrics: {cost: {better: smaller, sees: probabilities}}\nthreshold: {for: cost}",
            "cost is the same at every threshold",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(more, says):
    with pytest.raises(SpecError, match=re.escape(says)) as caught:
        parsed(more)
    line = SPEC.count("\n") + 1
    assert re.search(rf"model\.yaml:({line}|{line + 1}):", str(caught.value))


def test_only_a_binary_task_has_a_threshold():
    text = SPEC.replace("task: binary", "task: multiclass").replace("roc_auc", "accuracy")
    with pytest.raises(SpecError, match="a multiclass task has no threshold"):
        parsed("threshold: 0.3", text)


def test_a_cost_stands_wherever_a_metric_does():
    text = SPEC.replace("metric: roc_auc, seed", "metric: cost, seed")
    text = text.replace("versus_champion: {metric: roc_auc", "versus_champion: {metric: cost")
    spec = parsed(f"{COST}threshold: {{for: cost}}", text)
    assert spec.train.metric == spec.gate.versus_champion.metric == spec.threshold.metric == "cost"
    assert not spec.metric_named("cost").greater_is_better
    assert spec.unit_of("cost") == "EUR per row"


def test_a_cost_that_is_not_declared_is_told_how():
    text = SPEC.replace("versus_champion: {metric: roc_auc", "versus_champion: {metric: cost")
    with pytest.raises(SpecError) as caught:
        parsed("", text)
    said = str(caught.value)
    assert "gate.versus_champion.metric: There is no metric 'cost'." in said
    assert "One of your own is declared too: `metrics: {cost: {better: smaller" in said
    assert "A binary task has roc_auc" in said
    assert "rmsle" not in said
    assert ".." not in said
