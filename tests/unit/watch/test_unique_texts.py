"""Texts of which nearly every row has its own are named, with what to do."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.spec import parse_spec
from pipelines.watch.unique_texts import warn_of_unique_texts
from tests.dags.specs import spec_text

NOTES = [f"note {number}" for number in range(100)]
REPEATED = [f"note {number % 80}" for number in range(100)]


def warned(values, *, drift="weekly", steps=""):
    text = spec_text("demo", drift=drift)
    if steps:
        text = text.replace("DummyClassifier}", f"DummyClassifier, steps: {steps}}}", 1)
    spec = parse_spec(text.encode(), "models/demo/model.yaml")
    columns = {name: pa.array(range(100)) for name in spec.inputs}
    columns[spec.inputs[0]] = pa.array(values)
    return spec.inputs[0], warn_of_unique_texts(spec, pa.table(columns))


@pytest.mark.parametrize(
    "values",
    [NOTES, [*NOTES[:95], *NOTES[:5]], [*NOTES[:60], *[None] * 40]],
    ids=["all", "nearly all", "all that are there"],
)
def test_a_text_that_hardly_comes_twice_is_named_with_a_remedy(values):
    name, words = warned(values)
    assert f"its own text in {name}:" in words
    assert f"columns: [{name}]" in words
    assert warn_of_dictionary(values) == words


def warn_of_dictionary(values):
    return warned(pa.array(values).dictionary_encode())[1]


@pytest.mark.parametrize(
    "values",
    [REPEATED, [*NOTES[:40], *[None] * 60], list(range(100)), [None] * 100],
    ids=["some twice", "too few to tell", "numbers", "none"],
)
def test_what_repeats_or_is_no_text_is_not(values):
    assert warned(values)[1] == ""


def test_a_model_that_nobody_watches_needs_no_warning():
    assert warned(NOTES, drift=None)[1] == ""


@pytest.mark.parametrize("step", ["tfidf", "hash"])
def test_nor_does_a_text_whose_words_are_counted(step):
    name = warned(NOTES)[0]
    assert warned(NOTES, steps=f"[{{step: {step}, columns: [{name}]}}]")[1] == ""
