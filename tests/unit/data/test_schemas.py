"""The schema that a source asks for, and how it is taken on."""

import pyarrow as pa
import pytest

from pipelines.data.accepting import accept_schema
from pipelines.data.schemas import SourceColumns, find_schema
from pipelines.errors import BadData
from pipelines.ledger import SchemaChange
from pipelines.spec.schema import load_schema


def columns(**batches):
    """Return the columns of one table by batch."""
    tables = {}
    for batch, table in batches.items():
        for name, values in table.items():
            tables.setdefault(name, {})[batch] = pa.chunked_array([values])
    return SourceColumns({"events": tables}, {"events": list(batches)})


def found(*, times=False, **batches):
    """Return type and declaration of each column."""
    schema = find_schema(columns(**batches), {"events": {"id"}}, times=times)
    return {
        name: column.model_dump(exclude_defaults=True)
        for name, column in schema.tables["events"].items()
    }


def test_a_schema_holds_the_values_of_all_batches():
    assert found(
        a={"id": [1, 2], "x": [1, 2], "s": ["a", None], "old": [True, False]},
        b={"id": [3, 4], "x": [1.5, None], "s": ["7", "8"], "new": pa.nulls(2)},
    ) == {
        "id": {"type": "integer", "nullable": False},
        "x": {"type": "float"},
        "s": {"type": "text"},
        "old": {"type": "boolean", "optional": True},
        "new": {"type": "float", "optional": True},
    }


def test_texts_that_are_all_times_are_times_where_that_is_asked_for():
    batch = {"t": ["2024-01-01", "2024-01-01 10:00"], "u": ["2024-01-01", "soon"]}
    assert found(a=batch, times=True)["t"] == {"type": "time"}
    assert {column["type"] for column in found(a=batch).values()} == {"text"}
    assert found(a=batch, times=True)["u"] == {"type": "text"}


def test_digits_in_one_batch_and_texts_in_another_are_texts():
    assert found(a={"zip": [50667]}, b={"zip": ["04109"]})["zip"] == {"type": "text"}


def test_values_that_no_type_holds_are_refused_by_name():
    with pytest.raises(BadData, match=r"events\.x: .*only 0 and 1 go with true and false.*in b"):
        found(a={"x": [[1]], "y": [1]}, b={"x": [True], "y": [1]})


@pytest.fixture
def accept(world, ports):
    return lambda: accept_schema(world.context(ports))


def entries(ports):
    return [entry.read(SchemaChange) for entry in ports.ledger.entries("sales", "schema")]


def test_the_first_schema_is_written_to_the_folder_and_the_ledger(accept, world, ports):
    (change,) = accept()
    assert "the first schema" in change
    schema = load_schema(world.context(ports).folder)
    assert schema.tables["events"]["visit"].type == "text"
    assert not schema.tables["events"]["visit"].nullable
    assert [entry.changes for entry in entries(ports)] == [[change]]
    assert accept() == []
    assert len(entries(ports)) == 1


def test_each_change_is_named_and_what_was_declared_by_hand_stays(accept, world, ports):
    accept()
    path = world.context(ports).folder / "schema.yaml"
    text = path.read_text().replace(
        "channel: {type: text}", "channel: {type: text, optional: true}"
    )
    path.write_text(text.replace("pages: {type: integer}", "pages: {type: float}"))
    for day in range(10):
        if world.raw(day).is_file():
            frame = world.frame(day).drop(columns="channel")
            world.rewrite(day, frame.assign(weather="rain", bought="b"))
    assert accept() == ["events.bought: integer becomes text", "events.weather: new (text)"]
    schema = load_schema(world.context(ports).folder).tables["events"]
    assert (schema["pages"].type, schema["channel"].optional) == ("float", True)
    first, second = entries(ports)
    assert (first.before, len(second.before)) == ("", 64)
