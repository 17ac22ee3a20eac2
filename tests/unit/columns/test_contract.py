"""A table held against a schema."""

import datetime as dt

import pyarrow as pa
import pytest

from pipelines.columns.contract import hold, in_schema, localise
from pipelines.errors import BadData
from pipelines.spec.schema import Column
from pipelines.spec.table_options import TableOptions


def typed(table, zone="UTC", **columns):
    """Return the table in the types of the columns."""
    schema = {name: Column(type=kind) for name, kind in columns.items()}
    return in_schema(table, schema, TableOptions(), zone, "rows, row {}".format)


def test_values_of_any_format_come_in_the_types_of_the_schema():
    table = pa.table(
        {"a": pa.array([1, 2], pa.int32()), "b": [1.0, 2.0], "c": ["7", None], "d": [None, None]}
    )
    table = typed(table, a="float", b="integer", c="integer", d="text")
    assert table.to_pydict() == {"a": [1.0, 2.0], "b": [1, 2], "c": [7, None], "d": [None, None]}
    assert [str(t) for t in table.schema.types] == ["double", "int64", "int64", "string"]


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ([1, 2], "text", "row 0: the column 'x' (text) holds 1, which is no text"),
        ([1.0, 2.5], "integer", "row 1: the column 'x' (integer) holds 2.5, which is no integer"),
        (["1", "?"], "integer", "row 1: the column 'x' (integer) holds '?'"),
        ([[1], [2]], "text", "no text"),
        ([2**60 + 1], "float", "no float"),
        ([1], "nested", "not nested"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_row_and_both_types(values, kind, words):
    with pytest.raises(BadData) as caught:
        typed(pa.table({"x": values}), x=kind)
    assert words in caught.value.message
    assert caught.value.remedy


def test_times_without_a_zone_are_in_the_zone_of_their_column_else_of_the_source():
    noon = dt.datetime(2024, 7, 1, 12)  # noqa: DTZ001 -- without a zone on purpose
    table = pa.table({"a": [noon], "b": [noon], "c": [noon.date()], "d": [noon.date()]})
    columns = {
        "a": Column(type="time", timezone="America/New_York"),
        "c": Column(type="time"),
        "d": Column(type="date"),
    }
    (row,) = localise(table, columns, "Europe/Berlin").to_pylist()
    assert {name: value.strftime("%d %H:%M") for name, value in row.items()} == {
        "a": "01 16:00",
        "b": "01 10:00",
        "c": "30 22:00",
        "d": "01 00:00",
    }


COLUMNS = {"id": Column(type="integer", nullable=False), "plan": Column(type="text")}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"id": [1]}, "'plan' is gone (text in schema.yaml)"),
        ({"id": [1], "Plan2": ["a"]}, "'plan' may be called 'Plan2' now"),
        ({"id": [1], "other": ["a"]}, "new here: 'other'"),
        ({"id": [None], "plan": ["a"]}, "'id' has 1 row without a value"),
    ],
)
def test_what_breaks_the_contract_is_refused_by_name(table, words):
    with pytest.raises(BadData) as caught:
        hold(pa.table(table), COLUMNS, "2024-01: events")
    assert caught.value.message.startswith("2024-01: events: ")
    assert words in caught.value.message


def test_a_new_column_is_left_out_and_said():
    table, notices = hold(pa.table({"new": [1.5], "plan": ["a"], "id": [1]}), COLUMNS, "b: events")
    assert table.to_pydict() == {"id": [1], "plan": ["a"]}
    (notice,) = notices
    assert "schema.yaml does not know 'new' (float)" in notice
    assert "--accept" in notice


def test_an_optional_column_may_be_missing_and_a_table_without_rows_lacks_nothing():
    optional = COLUMNS | {"plan": Column(type="text", optional=True)}
    table, notices = hold(pa.table({"id": [1]}), optional, "b: events")
    assert (table.to_pydict(), notices) == ({"id": [1], "plan": [None]}, [])
    assert hold(pa.table({}), COLUMNS, "b: events")[0].num_rows == 0
