"""What the parser reads itself is what the texts stand for: both ways give one value, or none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.columns.contract import in_schema
from pipelines.errors import BadData
from pipelines.sources.parsing import Reading, parse
from pipelines.sources.read_csv import Csv
from pipelines.spec.schema import Column
from pipelines.spec.table_options import TableOptions
from pipelines.tables import normalise

ODD = ["0x1F", "-0X2", "nan", "-inf", "1e400", "NA", "-", "", " 7 ", "+5", "007", "5.0", "1e2", "T"]
TEXTS = st.lists(
    st.sampled_from(ODD) | st.integers().map(str) | st.floats().map(repr), min_size=1, max_size=4
)


def values_of_texts(data, options, schema):
    """Return the values by way of texts, without the parser's own types."""
    content = Csv(data, "rows.csv", options)
    table = in_schema(content.texts(), schema, options, "UTC", content.place)
    return normalise(table, "rows.csv").to_pylist()


def answer(read):
    """Return the rows, or that they are refused."""
    try:
        return read()
    except BadData:
        return "refused"


@pytest.mark.parametrize("kind", ["integer", "float", "decimal(20, 2)", "boolean"])
@pytest.mark.parametrize("missing", [None, ["-"]])
@given(texts=TEXTS)
@settings(max_examples=60, deadline=None)
def test_both_ways_give_the_same_values(kind, missing, texts):
    data = ("x,y\n" + "".join(f"{text},a\n" for text in texts)).encode()
    schema = {"x": Column(type=kind), "y": Column(type="text")}
    options = TableOptions(missing=missing)
    reading = Reading(options, "UTC", schema)
    assert answer(lambda: parse(data, "csv", "rows.csv", reading).to_pylist()) == answer(
        lambda: values_of_texts(data, options, schema)
    )


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", " "])
@pytest.mark.parametrize("schema", [None, {"x": Column(type="float")}])
def test_spaces_that_keep_a_number_together_are_spaces_between_groups(space, schema):
    data = f"x;y\n1{space}234,5;a\n7;b\n".encode()
    options = TableOptions(delimiter=";", decimal=",", thousands=" ")
    table = parse(data, "csv", "rows.csv", Reading(options, "UTC", schema))
    assert table["x"].to_pylist() == [1234.5, 7.0]
