"""What a gate says of the person who is asked before a promoted version serves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.errors import SpecError
from tests.dags.specs import make_spec


def gate(text: str):
    return make_spec(gate=f", {text}").gate


def test_nobody_is_asked_unless_the_spec_says_so():
    assert not make_spec().gate.asks
    assert not gate("approval: none").asks


def test_a_question_waits_for_a_day_by_default_and_for_anybody():
    asks = gate("approval: required")
    assert (asks.asks, asks.approval_within, asks.approvers) == (True, timedelta(days=1), [])
    told = gate("approval: required, approval_within: 90m, approvers: [ann, b.o@example.org]")
    assert told.approval_within == timedelta(minutes=90)
    assert told.approvers == ["ann", "b.o@example.org"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("approval: yes", "approval"),
        ("approval: required, approval_within: 30s", "an answer needs between 1m and 2w"),
        ("approval: required, approval_within: 15d", "an answer needs between 1m and 2w"),
        ("approval: required, approval_within: soon", "approval_within"),
        ("approvers: [ann]", "nobody is asked; write `approval: required` too"),
        ("approval: required, approvers: ['an n']", "write a log-in of Airflow: letters"),
        ("approval: required, approvers: ['']", "approvers"),
        ("approval: required, approvers: ann", "approvers"),
        ("approval: required, approver: [ann]", "did you mean 'approvers'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(text, why):
    with pytest.raises(SpecError, match=r"models/demo/model\.yaml") as refusal:
        gate(text)
    assert why in str(refusal.value)
