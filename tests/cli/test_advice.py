"""What `check` advises though nothing is wrong."""

from __future__ import annotations

import pytest

from pipelines.cli.advice import advice
from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.dags.specs import spec_text


def advised(batch: str, *more: str) -> list[str]:
    text = spec_text("demo", drift="weekly").replace("batch: month", f"batch: {batch}")
    text = text.replace("window: 2 batches", "window: 12 batches")
    found = advice(parse_spec((text + "".join(more)).encode(), "models/demo/model.yaml"))
    return [words for words in found if "alike" in words]


@pytest.mark.parametrize(
    ("batch", "more", "words"),
    [
        ("month", "", []),
        ("week", "", []),
        ("day", "", ["`train.holdout` holds at most 1 day"]),
        ("hour", "", ["`train.holdout` holds at most 1 day", "`drift.window` holds at most 1 day"]),
        ("day", "alike: {span: hour}\n", []),
        ("hour", "alike: {span: hour}\n", ["`train.holdout` holds at most 1 hour"]),
        ("hour", "alike: {span: row}\n", []),
    ],
)
def test_it_says_where_too_little_is_looked_at_to_tell_anything(batch, more, words):
    found = advised(batch, more)
    assert [text[: len(start)] for text, start in zip(found, words, strict=True)] == words


def test_only_rows_with_a_time_are_alike_by_span_or_group():
    with pytest.raises(SpecError, match="alike"):
        parse_spec(
            (
                spec_text("demo")
                .replace("batch: month\nevent_time: at\n", "")
                .replace(", first: 2013-01-01T00:00:00Z", "")
                .replace("/{start:%Y-%m}", "")
                + "alike: {group: a}\n"
            ).encode(),
            "models/demo/model.yaml",
        )
    with pytest.raises(SpecError, match="is the target"):
        parse_spec((spec_text("demo") + "alike: {group: late}\n").encode(), "demo/model.yaml")


@pytest.mark.parametrize(
    ("more", "warns"),
    [
        ("retrain: {by: performance}\n", True),
        ("retrain: {by: change}\n", False),
        ("", False),
    ],
)
def test_it_says_where_a_policy_waits_for_what_nothing_tests(more, warns):
    text = spec_text("demo", drift="weekly") + more
    binary = parse_spec(text.encode(), "models/demo/model.yaml")
    assert not [words for words in advice(binary) if "never starts" in words]
    spec = binary.model_copy(update={"task": "anomaly"})
    found = [words for words in advice(spec) if "never starts" in words]
    assert len(found) == warns
    tolerant = spec.drift.model_copy(
        update={"performance": spec.drift.performance.model_copy(update={"tolerance": 0.1})}
    )
    told = spec.model_copy(update={"drift": tolerant})
    assert not [words for words in advice(told) if "never starts" in words]
