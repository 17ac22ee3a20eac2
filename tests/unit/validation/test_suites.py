"""Whatever stands in a suite's file is an answer that names the file, the place and the remedy."""

from __future__ import annotations

import json
import os

import great_expectations as gx
import pyarrow as pa
import pytest
from great_expectations import expectations as gxe

from pipelines.errors import SpecError
from pipelines.spec import load_spec
from pipelines.validation.run import check_table
from pipelines.validation.suites import always_side, read_suite
from tests.conftest import ROOT

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "x"}}


def write(folder, content):
    path = folder / "expectations" / "sales.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def suite(*expectations):
    return {"name": "sales", "expectations": list(expectations)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "no JSON at line 1, column 1", id="nothing"),
        pytest.param(b'{"expectations": [\n}', "no JSON at line 2, column 1", id="no JSON"),
        pytest.param(b"[" * 100_000, "brackets are too deep", id="a hundred thousand brackets"),
        pytest.param(
            b'{"expectations": ' + b"[" * 900 + b"]" * 900 + b"}",
            "brackets are too deep",
            id="nine hundred brackets",
        ),
        pytest.param("Größe".encode("latin-1"), "not UTF-8", id="another encoding"),
        pytest.param(b"7", "no list `expectations`", id="a number"),
        pytest.param({"name": "sales"}, "no list `expectations`", id="no expectations"),
        pytest.param(
            {"expectations": {"type": "x"}},
            "no list `expectations`",
            id="an object of expectations",
        ),
        pytest.param(suite("x"), r"expectations\[0\]: it is no object", id="a text"),
        pytest.param(
            suite(NOT_NULL, {"kwargs": {}}), r"expectations\[1\]: it has no `type`", id="no type"
        ),
        pytest.param(suite({"type": ["x"]}), "it has no `type`", id="a list for the type"),
        pytest.param(suite({"expectation_type": "x"}), "called `type` since", id="as before 1.0"),
        pytest.param(
            suite({**NOT_NULL, "kwargs": [1]}),
            "`kwargs` must be an object",
            id="a list for the arguments",
        ),
        pytest.param(
            suite({**NOT_NULL, "kwargs": {"column": ["x"]}}),
            "name must be a text",
            id="a list for the column",
        ),
        pytest.param(
            suite({**NOT_NULL, "sevrity": "warning"}),
            "unknown key 'sevrity'; 'severity'",
            id="a typo",
        ),
        pytest.param(b'{"expectations": [NaN]}', "NaN is no number", id="NaN"),
        pytest.param(b'{"expectations": [1e999]}', "too large", id="a number beyond floats"),
        pytest.param(
            b'{"expectations": [' + b"9" * 5_000 + b"]}",
            "is no suite",
            id="a number of 5,000 digits",
        ),
        pytest.param(b'{"expectations": [], "expectations": []}', "stands twice", id="a key twice"),
        pytest.param(b" " * 4_000_001, "larger than", id="a huge file"),
    ],
)
def test_what_is_no_suite_is_refused_by_name(tmp_path, content, words):
    with pytest.raises(SpecError, match=words) as caught:
        read_suite(write(tmp_path, content))
    assert "expectations/sales.json" in caught.value.message


def test_every_malformed_expectation_is_named_at_once(tmp_path):
    with pytest.raises(SpecError) as caught:
        read_suite(write(tmp_path, suite("x", NOT_NULL, {}, {"type": 3})))
    assert [line.split(": ")[1] for line in caught.value.message.splitlines()] == [
        f"expectations[{i}]" for i in (0, 2, 3)
    ]


def test_a_folder_a_pipe_and_a_file_without_rights_are_named(tmp_path):
    path = tmp_path / "expectations" / "sales.json"
    path.mkdir(parents=True)
    with pytest.raises(SpecError, match="is a folder"):
        read_suite(path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(SpecError, match="There is no"):
        read_suite(path)
    path.unlink()
    write(tmp_path, suite(NOT_NULL)).chmod(0)
    if os.geteuid() != 0:  # root reads everything
        with pytest.raises(SpecError, match="cannot be read"):
            read_suite(path)


def test_a_suite_as_great_expectations_saves_it_is_read(tmp_path):
    context = gx.get_context(mode="ephemeral")
    built = context.suites.add(
        gx.ExpectationSuite(
            name="sales",
            expectations=[
                gxe.ExpectColumnValuesToNotBeNull(
                    column="x", notes="why", meta={"owner": "me"}, severity="warning"
                ),
                gxe.ExpectColumnValuesToBeBetween(column="x", min_value=1, max_value=2, mostly=0.5),
            ],
        )
    )
    saved = json.loads(json.dumps(built.to_json_dict()))
    assert all(e["id"] for e in saved["expectations"]), (
        "this is what a suite of Great Expectations' own looks like"
    )
    saved["expectations"][0]["rendered_content"] = [{"name": "atomic"}]
    expectations = read_suite(write(tmp_path, saved))
    table = pa.table({"x": pa.array([1, None, 3])})
    for _ in range(2):
        found = check_table("sales", table, expectations, "expectations/sales.json")
        assert [(f.success, f.severity, f.rows) for f in found] == [
            (False, "warning", [1]),
            (True, "critical", []),
        ]


def test_a_bare_list_of_expectations_is_a_suite(tmp_path):
    assert read_suite(write(tmp_path, [NOT_NULL])) == [{**NOT_NULL, "meta": {"place": 0}}]


def test_a_column_of_nulls_is_critical_where_the_suite_names_it_whatever_else_it_says():
    spec = load_spec(ROOT / "models", "flight_delays")

    def severities(expectation):
        return {
            e["kwargs"].get("column"): e["severity"]
            for e in always_side(spec, "planes", {"x": "int64", "y": "int64"}, [expectation])
        }

    assert severities(NOT_NULL) == {None: "critical", "y": "warning"}
    assert severities({"type": "expect_column_to_exist"}) == {
        None: "critical",
        "x": "warning",
        "y": "warning",
    }
    assert severities({**NOT_NULL, "kwargs": {"column": "x", "mostly": "all"}})["x"] == "critical"
    assert severities({**NOT_NULL, "kwargs": {"column": "x", "mostly": 0}})["x"] == "critical"
