"""Spark's errors in words, and its place as settings name it."""

from __future__ import annotations

import pytest

from pipelines.errors import (
    GiveUp,
    RequestError,
    SpecError,
    StorageFull,
    TryAgain,
    Unreachable,
)
from pipelines.settings import load_settings
from pipelines.spark.failures import failure_of, known_failure, say_ended, shorten
from pipelines.spark.place import ALWAYS, SparkPlace, place_of
from pipelines.spark.session import SparkSession

PLACE = SparkPlace(
    python="/p/python", master="spark://10.0.0.1:7077", conf={}, folder="", seconds=60
)


@pytest.mark.parametrize(
    ("kind", "text", "error", "words"),
    [
        ("ModuleNotFoundError", "No module named 'pyspark'", GiveUp, "/p/python has no PySpark"),
        ("ModuleNotFoundError", "No module named 'great_expectations'", GiveUp, "has no Great"),
        ("PySparkRuntimeError", "[JAVA_GATEWAY_EXITED] Java gateway", GiveUp, "Java did not start"),
        ("NoWorker", "", Unreachable, "gave no worker within 60 s"),
        ("Py4JJavaError", "All masters are unresponsive! Giving up.", Unreachable, "went away"),
        ("Py4JJavaError", "java.io.InvalidClassException: x; local", GiveUp, "another version"),
        ("PySparkRuntimeError", "[PYTHON_VERSION_MISMATCH] 3.9", GiveUp, "workers' Python"),
        ("Py4JJavaError", "ExecutorLostFailure (executor 3 exited", TryAgain, "lost its executors"),
        ("Py4JJavaError", "java.lang.OutOfMemoryError: Java heap", SpecError, "too little memory"),
        ("Py4JJavaError", "java.io.IOException: No space left on device", StorageFull, "no space"),
        ("AnalysisException", "[PATH_NOT_FOUND] Path does not exist", GiveUp, "cannot read or"),
        ("ArithmeticException", "[ARITHMETIC_OVERFLOW] long overflow", SpecError, "build failed"),
    ],
)
def test_an_error_has_a_name_and_a_remedy(kind, text, error, words):
    found = failure_of(kind, text, PLACE).error
    assert type(found) is error
    assert words in found.message
    assert found.remedy


def test_what_befell_spark_is_told_from_what_an_expectation_met():
    lost = known_failure("Job aborted: ExecutorLostFailure (executor 3 exited caused by", PLACE)
    assert isinstance(lost.error, TryAgain)
    assert lost.ends_session
    assert known_failure("[CAST_INVALID_INPUT] The value 'x' cannot be cast", PLACE) is None
    found = failure_of("KeyError", "'c0'", PLACE, "judge").error
    assert type(found) is GiveUp
    assert found.message == "Great Expectations failed on Spark: KeyError: 'c0'."
    assert "engines: {validate: duckdb}" in found.remedy


def test_a_stack_of_java_is_left_out():
    text = "java.lang.Error: it broke\n\tat org.apache.X.y(X.java:1)\n\tat z\n"
    assert shorten(text) == "java.lang.Error: it broke."


def test_a_driver_that_was_killed_may_be_tried_again():
    assert isinstance(say_ended(-9, ""), TryAgain)
    assert "was killed" in say_ended(-9, "").message
    assert "exit code 3. Its last words: x." in say_ended(3, " Its last words: x.").message


def test_settings_name_the_place(tmp_path):
    settings = load_settings(
        {
            "PERENNIAL_HOME": str(tmp_path),
            "PERENNIAL_SPARK_MASTER": "spark://a:7077,b",
            "PERENNIAL_SPARK_CONF": "spark.executor.memory=2g;spark.jars=/a.jar,/b.jar",
            "PERENNIAL_SPARK_FOLDER": "hdfs://name:8020/perennial",
        }
    )
    place = place_of(settings)
    assert place.hosts == [("a", 7077), ("b", 7077)]
    assert place.conf == {"spark.executor.memory": "2g", "spark.jars": "/a.jar,/b.jar"}
    assert place.folder == "hdfs://name:8020/perennial"
    assert place.python == f"{tmp_path}/.venv-spark/bin/python"
    assert "spark.driver.host" not in place.properties(), "workers elsewhere must reach it"


def test_what_equal_rows_depend_on_cannot_be_changed_and_a_cluster_here_is_not_seen_elsewhere():
    conf = {"spark.sql.ansi.enabled": "false", "spark.ui.enabled": "true"}
    place = PLACE.model_copy(update={"conf": conf, "master": "local[2]"})
    properties = place.properties()
    assert properties.items() >= ALWAYS.items()
    assert properties["spark.ui.enabled"] == "true"
    assert properties["spark.driver.bindAddress"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MASTER", "local[0]"),
        ("MASTER", "spark://a b"),
        ("MASTER", "http://a"),
        ("CONF", "executor.memory=1g"),
        ("CONF", "spark.a=1\nspark.b=2"),
        ("FOLDER", "/plain/path"),
        ("FOLDER", "s3a://a?b"),
    ],
)
def test_hostile_settings_are_refused_with_words(name, value):
    with pytest.raises(RequestError, match=f"PERENNIAL_SPARK_{name}: .*; write "):
        load_settings({f"PERENNIAL_SPARK_{name}": value})


def test_a_configuration_is_never_shown():
    with pytest.raises(RequestError) as caught:
        load_settings({"PERENNIAL_SPARK_CONF": "spark.authenticate.secret=hunter2;oops"})
    assert "hunter2" not in str(caught.value)


def test_a_python_that_is_not_there_is_named():
    with pytest.raises(GiveUp, match="/p/python, is not there") as caught:
        SparkSession(PLACE)
    assert "make spark" in caught.value.remedy
