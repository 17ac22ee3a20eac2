"""`perennial check` finds what Spark cannot, without Spark."""

import json

import pytest


def found(command, check):
    done = command("check", "sales", "--json")
    finding = next((f for f in json.loads(done.stdout) if f["check"] == check), None)
    return done.returncode, finding


@pytest.fixture(autouse=True)
def _no_spark(monkeypatch):
    """Neither Java nor PySpark is found."""
    monkeypatch.setenv("PERENNIAL_SPARK_PYTHON", "/nowhere/python")
    monkeypatch.setenv("PERENNIAL_SPARK_MASTER", "spark://127.0.0.1:9")
    monkeypatch.setenv("JAVA_HOME", "/nowhere")


def change_build(world, old, new):
    path = world.home / "models" / "sales" / "features.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def line_of(path, text):
    return next(i for i, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_nothing_is_said_of_spark_where_nobody_asks_for_it(command, world):
    assert found(command, "spark") == (0, None)


@pytest.mark.parametrize("by", ["setting", "resources: {engine: spark}", "engines"])
def test_a_model_can_be_moved_by_a_setting_or_its_spec(command, world, monkeypatch, by):
    if by == "setting":
        monkeypatch.setenv("PERENNIAL_ENGINE", "spark")
    else:
        text = "resources: {engines: {features: spark}}" if by == "engines" else by
        world.respec("task: binary", f"task: binary\n{text}")
    code, finding = found(command, "spark")
    assert code == 0
    assert finding["ok"]
    assert finding["detail"] == (
        "build can be written for Spark (spark://127.0.0.1:9), with the rows that DuckDB gives"
    )


def test_a_step_can_stay_with_duckdb(command, world, monkeypatch):
    monkeypatch.setenv("PERENNIAL_ENGINE", "spark")
    world.respec(
        "task: binary", "task: binary\nresources: {engines: {features: duckdb, drift: duckdb}}"
    )
    assert found(command, "spark") == (0, None)


@pytest.mark.parametrize(
    ("code", "name", "why"),
    [
        ("_.minutes.kurtosis()", "Kurtosis", "Spark has nothing like it"),
        ("_.channel.hash()", "Hash", "each engine has a hash of its own"),
        ("_.pages.approx_nunique()", "ApproxCountDistinct", "each engine estimates"),
    ],
)
def test_what_spark_cannot_is_named_with_its_line_and_what_to_do(
    command, world, monkeypatch, code, name, why
):
    monkeypatch.setenv("PERENNIAL_ENGINE", "spark")
    path = change_build(
        world,
        'rows = tables["events"].mutate(',
        f'rows = tables["events"].mutate(odd={code}).mutate(',
    )
    change_build(world, '"trend", bought', '"trend", "odd", bought')
    exit_code, finding = found(command, "spark")
    assert exit_code == 65
    assert not finding["ok"]
    assert f"models/sales/features.py: {name} is not for Spark: {why}" in finding["detail"]
    assert f"See line {line_of(path, code)} of features.py." in finding["detail"]
    assert (
        "leave this model to DuckDB: `resources: {engines: {features: duckdb, drift: duckdb}}`"
        in (finding["detail"])
    )


def test_a_function_of_python_is_not_for_spark(command, world, monkeypatch):
    monkeypatch.setenv("PERENNIAL_ENGINE", "spark")
    change_build(
        world,
        "def build(tables):",
        "@ibis.udf.scalar.python\ndef longer(x: int) -> int:\n    return x + 1\n\n\n"
        "def build(tables):",
    )
    change_build(world, '"pages",', 'longer(_.pages.cast("int64")).name("pages"),')
    exit_code, finding = found(command, "spark")
    assert exit_code == 65
    assert "is not for Spark: the workers run no Python" in finding["detail"]
    assert "See line " in finding["detail"]


def test_what_may_come_out_otherwise_is_a_warning(command, world, monkeypatch):
    monkeypatch.setenv("PERENNIAL_ENGINE", "spark")
    change_build(
        world, "_.visits.sum().over(window)", "_.visits.cast('float64').sum().over(window)"
    )
    code, finding = found(command, "spark")
    assert code == 0
    assert "in some digits or values: the order of rows matters to" in finding["detail"]


def test_expectations_that_spark_does_not_judge_are_named_with_their_reason(
    command, world, monkeypatch
):
    monkeypatch.setenv("PERENNIAL_ENGINE", "spark")
    path = world.home / "expectations" / "sales.json"
    suite = json.loads(path.read_text())
    kind = "expect_column_median_to_be_between"
    suite["expectations"].append({"type": kind, "kwargs": {"column": "pages", "min_value": 1}})
    path.write_text(json.dumps(suite))
    code, finding = found(command, "expectations")
    assert code == 0
    assert "1 expectation is not judged on Spark, but here: " in finding["detail"]
    assert f"{kind} of pages: it would bring the whole column" in finding["detail"]
    monkeypatch.setenv("PERENNIAL_ENGINE", "duckdb")
    assert "Spark" not in found(command, "expectations")[1]["detail"]
