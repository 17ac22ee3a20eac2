"""A target that is computed of what `build` returns."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from pipelines.building.rows import run_build
from pipelines.errors import SpecError
from pipelines.spec.expressions import judge_expression

BUILT = pa.table({"delay": [16.0, 15.0, math.nan, None], "text": ["1", "x", None, "20"]})


def derive(text: str, table: pa.Table = BUILT, name: str = "late") -> list[object]:
    sql = judge_expression(text).sql
    built = run_build(lambda t: t["e"], {"e": table}, "models/m/features.py", (name, sql))
    assert built.column_names == [*table.column_names, name]
    return built[name].to_pylist()


def test_what_is_not_known_gives_an_unknown_label():
    assert derive("delay > 15") == [True, False, None, None]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("CASE WHEN delay > 15 THEN 'late' ELSE 'ok' END", ["late", "ok", "ok", "ok"]),
        ("TRY_CAST(text AS INT) > 3", [False, None, None, True]),
        ("delay * 2", [32.0, 30.0, None, None]),
        ("delay BETWEEN 15 AND 15.5 OR text = '20'", [False, True, None, True]),
    ],
)
def test_an_expression_gives_one_value_for_each_row(text, values):
    assert derive(text) == values


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("absent > 3", "build returns no column 'absent'"),
        ("text > 3", "Cannot compare values of type VARCHAR"),
        ("CAST(text AS INT) > 3", "Could not convert string 'x'"),
    ],
)
def test_what_cannot_be_computed_names_the_columns_that_there_are(text, words):
    with pytest.raises(SpecError) as caught:
        derive(text)
    assert words in caught.value.message
    assert "build returns delay, text" in caught.value.remedy
    assert caught.value.at == ("target", "expression")


def test_a_name_that_build_returns_already_is_refused():
    with pytest.raises(SpecError, match="build returns a column 'Delay' already") as caught:
        derive("delay > 3", name="Delay")
    assert caught.value.at == ("target", "column")


def test_a_column_without_values_gives_unknown_labels():
    assert derive("a > 1", pa.table({"a": pa.nulls(2), "b": [1, 2]})) == [None, None]


def test_the_connection_reaches_no_file_whatever_it_is_asked(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a\n1\n")
    hostile = f"(SELECT count(*) FROM read_csv('{file}')) > 0"
    with pytest.raises(SpecError):
        run_build(lambda t: t["e"], {"e": BUILT}, "models/m/features.py", ("late", hostile))
