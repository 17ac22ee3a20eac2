"""What a spec may say of the rule by which a challenger is held against the champion."""

from __future__ import annotations

import pytest

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.unit.steps.learning import spec_text


def spec(versus, **more):
    gate = f"gate: {{at_least: {{roc_auc: 0.6}}, versus_champion: {{metric: roc_auc, {versus}}}}}"
    return parse_spec(spec_text(gate=gate, **more).encode(), "visits")


@pytest.mark.parametrize(
    "versus",
    [
        "confidence: 0.9",
        "rule: better",
        "rule: not_worse, margin: 0.01",
        "rule: value, margin: 0.01, renewal: true",
        "margin: 0.01",
        "renewal: false",
    ],
)
def test_what_makes_sense_is_taken(versus):
    assert spec(versus).gate.versus_champion.metric == "roc_auc"


@pytest.mark.parametrize(
    ("versus", "said"),
    [
        ("rule: best", "rule"),
        ("rule: better, margin: 0.01", "`rule: better` has none"),
        ("margin: -0.01", "margin"),
        ("margin: .nan", "margin"),
        ("renewal: perhaps", "renewal"),
    ],
)
def test_what_makes_none_is_refused(versus, said):
    with pytest.raises(SpecError, match=said):
        spec(versus)
