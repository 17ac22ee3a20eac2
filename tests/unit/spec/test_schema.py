"""schema.yaml: read and written, and what is wrong with it in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import SpecError
from pipelines.spec.column_types import SIMPLE_TYPES
from pipelines.spec.schema import Column, Schema, load_schema, parse_schema, write_schema

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20)
COLUMNS = st.builds(
    Column,
    type=st.sampled_from([*sorted({*SIMPLE_TYPES} - {"category"}), "decimal(10, 2)"]),
    nullable=st.booleans(),
    optional=st.booleans(),
) | st.builds(
    Column,
    type=st.just("category"),
    order=st.lists(NAMES | st.sampled_from(["no", "1", "null", "S"]), min_size=1, unique=True),
)


@given(st.dictionaries(NAMES | st.sampled_from(["on", "1", "a: b"]), COLUMNS, min_size=1))
def test_what_is_written_reads_as_it_was(columns):
    schema = Schema(tables={"events": columns})
    assert parse_schema(write_schema(schema).encode(), "schema.yaml") == schema


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{type: integr}", "3: tables.events.a.type: no type is named 'integr'"),
        ("{type: category}", "3: tables.events.a: a `category` needs `order`"),
        ("{type: text, order: [a]}", "nothing else has one"),
        ("{type: category, order: [a, a]}", "names a value twice"),
        ("{type: text, timezone: UTC}", "only a column of the type `time`"),
        ("{type: time, timezone: Mars/North}", "no time zone is named 'Mars/North'"),
        ('{type: "decimal(39, 2)"}', "1 to 38 digits"),
        ('{type: "decimal(2, 3)"}', "more digits behind the point"),
        ("{type: text, nulable: true}", "nulable"),
        ("[", "not readable as YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(line, words):
    with pytest.raises(SpecError) as caught:
        parse_schema(f"tables:\n  events:\n    a: {line}\n".encode(), "models/x/schema.yaml")
    assert str(caught.value).startswith("models/x/schema.yaml:")
    assert words in str(caught.value)


def test_a_model_without_the_file_has_no_schema_and_a_folder_of_that_name_is_an_error(tmp_path):
    assert load_schema(tmp_path) is None
    (tmp_path / "schema.yaml").mkdir()
    with pytest.raises(SpecError, match="cannot be read"):
        load_schema(tmp_path)
