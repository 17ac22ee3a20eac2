"""What may be compared: policies as files and as a trigger's conf say them, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.errors import RequestError
from pipelines.replay.contenders import (
    MOST,
    NEVER,
    own_policy,
    parse_policy,
    read_policy,
    refuse_same_names,
    schedule,
    usual,
)
from pipelines.spec import parse_spec
from tests.worlds import SPEC


@pytest.fixture(scope="module")
def spec():
    return parse_spec(SPEC.encode(), "sales")


def parse(spec, body):
    return parse_policy(body, spec, name="tried", place="policy.yaml")


def test_a_file_says_a_policy_of_a_spec_or_a_number_of_batches(tmp_path, spec):
    file = tmp_path / "calm.yaml"
    file.write_text("retrain: {by: performance, cooldown: 3d}\ngate: better\n")
    found = read_policy(file, spec)
    assert (found.name, found.gate, found.policy.by) == (
        "calm, only better",
        "better",
        "performance",
    )
    assert found.policy.cooldown == timedelta(days=3)
    assert (found.looks, found.cause) == (True, "change")
    counted = parse(spec, {"name": "often", "every": 2, "gate": "none"})
    assert (counted.name, counted.every, counted.looks) == ("often, no gate", 2, False)


def test_a_policy_without_a_cooldown_has_that_of_drift(spec):
    assert parse(spec, {"retrain": {"by": "change"}}).policy.cooldown == spec.drift.cooldown


def test_the_models_own_policy_is_what_its_spec_says(spec):
    own = own_policy(spec)
    assert own.own
    assert own.name == "the model's own (by change)"
    assert own_policy(spec.model_copy(update={"drift": None})) is None
    assert [each.name for each in usual(spec)] == [
        "never retrain",
        "always refit",
        "the gate by default",
        "every 3 batches",
        own.name,
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("by: change", "is no policy"),
        ({}, "write either"),
        ({"every": 2, "retrain": {"by": "never"}}, "write either"),
        ({"every": 0}, "must be 1 or more"),
        ({"every": 2, "gates": "none"}, "gates"),
        ({"every": 2, "gate": "open"}, "gate"),
        ({"retrain": {"by": "schedule"}}, "needs one"),
        ({"retrain": {"by": "mood"}}, "by"),
        ({"every": 2, "name": "x" * 61}, "name"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_place(spec, body, words):
    with pytest.raises(RequestError, match=words) as error:
        parse(spec, body)
    assert "policy.yaml" in error.value.message
    assert error.value.remedy


def test_a_policy_that_goes_by_windows_needs_somebody_who_looks(spec):
    blind = spec.model_copy(update={"drift": None})
    with pytest.raises(RequestError, match="nobody looks at windows"):
        parse(blind, {"retrain": {"by": "change"}})
    assert parse(blind, {"retrain": {"by": "never"}}).looks is False


@pytest.mark.parametrize("content", [b"\xff\xfe", b"retrain: [", b"x" * 200_000])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, spec, content):
    file = tmp_path / "policy.yaml"
    file.write_bytes(content)
    with pytest.raises(RequestError, match=r"policy\.yaml"):
        read_policy(file, spec)
    with pytest.raises(RequestError, match="cannot be read"):
        read_policy(tmp_path / "absent.yaml", spec)


def test_names_are_told_apart_and_there_are_not_too_many():
    with pytest.raises(RequestError, match="Two policies are called 'never retrain'"):
        refuse_same_names([NEVER, NEVER])
    with pytest.raises(RequestError, match="are too many"):
        refuse_same_names([schedule(n) for n in range(1, MOST + 2)])
