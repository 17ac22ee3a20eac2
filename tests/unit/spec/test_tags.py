"""Tags: by what a model is found."""

from __future__ import annotations

import pytest

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.dags.specs import spec_text


def read(tags: str):
    return parse_spec(f"{spec_text('demo')}tags: {tags}\n".encode(), "models/demo/model.yaml")


def test_a_model_has_the_tags_that_it_names_in_their_order():
    assert read("[germany, v1.2, a_b-c]").tags == ["germany", "v1.2", "a_b-c"]
    assert parse_spec(spec_text("demo").encode(), "x").tags == []


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        pytest.param("[a, b, a]", "holds 'a' twice", id="twice"),
        pytest.param("['two words']", "begin with a letter or digit", id="blank"),
        pytest.param(f"[{'x' * 41}]", "at most 40", id="long"),
        pytest.param("word", "list", id="no list"),
    ],
)
def test_what_is_no_tag_is_refused_in_words(tags, words):
    with pytest.raises(SpecError, match=words):
        read(tags)
