import csv
import io
import math
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.columns.storable import say_once
from pipelines.columns.texts import MISSING
from pipelines.sources.parsing import parse


def column(*texts):
    table = parse(("x,y\n" + "".join(f"{text},\n" for text in texts)).encode(), "csv", "rows.csv")
    return str(table.schema.field("x").type), table["x"].to_pylist()


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        pytest.param(["1", "", "-3"], "int64", [1, None, -3], id="whole numbers beside nothing"),
        pytest.param(
            ["9007199254740993", ""], "int64", [2**53 + 1, None], id="beyond 2^53 beside nothing"
        ),
        pytest.param(
            ["18446744073709551615", "1"], "decimal128(38, 0)", [2**64 - 1, 1], id="2^64 - 1"
        ),
        pytest.param(["1" * 39], "string", ["1" * 39], id="39 digits"),
        pytest.param(["007", "8"], "string", ["007", "8"], id="leading zeros"),
        pytest.param(["+49", "8"], "string", ["+49", "8"], id="plus signs"),
        pytest.param(
            ["1e5", "2E3"], "string", ["1e5", "2E3"], id="identifiers that look like exponents"
        ),
        pytest.param(["1e16", "0.5"], "double", [1e16, 0.5], id="exponents among floats"),
        pytest.param(["1e-05", "-0"], "double", [1e-05, -0.0], id="floats as Python writes them"),
        pytest.param(
            ["0.1", "0.30000000000000004"], "double", [0.1, 0.1 + 0.2], id="all digits of a float"
        ),
        pytest.param(
            ["12345678901234567.89", "1"],
            "decimal128(38, 2)",
            [Decimal("12345678901234567.89"), 1],
            id="decimals that no float is",
        ),
        pytest.param(
            ["9007199254740993", "0.5"],
            "decimal128(38, 1)",
            [2**53 + 1, Decimal("0.5")],
            id="a whole number that no float is",
        ),
        pytest.param(["1e400", "0.5"], "string", ["1e400", "0.5"], id="beyond the floats"),
        pytest.param(["NA", "1", "None"], "int64", [None, 1, None], id="NA among numbers"),
        pytest.param(
            ["NULL", "0.5", "nan", "inf"],
            "double",
            [None, 0.5, None, float("inf")],
            id="nan among floats",
        ),
        pytest.param(
            ["NA", "DE", "null", "None"],
            "string",
            ["NA", "DE", "null", "None"],
            id="Namibia, and a Mr None",
        ),
        pytest.param(["NA", "NA"], "string", ["NA", "NA"], id="nothing but NA"),
        pytest.param(["", ""], "null", [None, None], id="nothing"),
        pytest.param(['""', "a"], "string", ["", "a"], id="an empty text"),
        pytest.param(['""', "1"], "int64", [None, 1], id="an empty text among numbers"),
        pytest.param(["true", "FALSE", ""], "bool", [True, False, None], id="booleans"),
        pytest.param([" 1 ", "2"], "int64", [1, 2], id="blanks around numbers"),
        pytest.param([" a ", "2"], "string", [" a ", "2"], id="blanks around texts"),
        pytest.param(["2024-01-01", "1_000"], "string", ["2024-01-01", "1_000"], id="no numbers"),
    ],
)
def test_the_whole_column_decides_and_no_value_is_changed(texts, kind, values):
    assert column(*texts) == (kind, values)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["007"], "the column 'x' is kept as texts: as numbers, its leading zeros"),
        (["1" * 39], "whole numbers of more than 38 digits"),
        (["1e400", ".5"], "neither a float64 nor 38 digits hold"),
        (["12345678901234567.89"], "read as decimals"),
        (["NA", "1"], "read as missing in the columns of numbers x"),
        (["NA", "null"], "holds nothing but NA"),
    ],
)
def test_what_is_not_obvious_is_said_once(texts, words, caplog):
    say_once.cache_clear()
    column(*texts)
    column(*texts)
    [message] = caplog.messages
    assert words in message


WRITTEN = st.one_of(
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda f: f"{f:.3f}"),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(
        [
            *MISSING,
            "007",
            "+1",
            "-0",
            "true",
            "False",
            "1e5",
            ".5",
            "5.",
            "Infinity",
            "2024-01-01",
            " 1",
            "1\n",
        ]
    ),
)


@given(
    st.one_of(
        st.lists(WRITTEN, min_size=1),
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1),
    )
)
@settings(max_examples=150, deadline=None)
def test_a_column_of_any_texts_comes_back_as_the_texts_or_as_the_numbers_that_they_write(texts):
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["x", "y"], *([text, "k"] for text in texts)])
    table = parse(file.getvalue().encode(), "csv", "rows.csv")
    kind, values = str(table.schema.field("x").type), table["x"].to_pylist()
    if kind == "string":
        assert values == texts
        return
    for text, value in zip(texts, values, strict=True):
        if value is None:
            assert text.strip() in MISSING
        elif kind == "bool":
            assert text.strip().lower() == str(value).lower()
        elif kind == "double":
            with localcontext(
                prec=1_200
            ):  # the float, rounded to the digits that were written, is what was written
                assert (
                    math.isinf(value)
                    or repr(value) == text.strip()
                    or Decimal(value).quantize(Decimal(text)) == Decimal(text)
                )
        else:
            assert value == Decimal(text)
            assert (
                "0" not in text.strip().lstrip("-")[:1]
                or len(text.strip().lstrip("-").split(".")[0]) == 1
            )
