"""Spark, as `make spark` brings it, and what is asked of it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from pipelines.spark.place import SparkPlace
from pipelines.spark.session import end_sessions
from tests.conftest import ROOT
from tests.spark.cluster import QUICK, Cluster

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = ROOT / ".venv-spark" / "bin" / "python"


@pytest.fixture(scope="session")
def spark_python() -> Path:
    """The Python that has PySpark; tests that need it skip without (in CI they must not)."""
    absent = [
        what
        for what, is_there in (
            ("PySpark (`make spark`)", PYTHON.is_file()),
            ("Java", shutil.which("java") is not None),
        )
        if not is_there
    ]
    if absent:
        words = f"Spark is not here: no {', no '.join(absent)}"
        if os.environ.get("PERENNIAL_REQUIRE_SPARK"):
            pytest.fail(words)
        pytest.skip(words)
    return PYTHON


@pytest.fixture(scope="session")
def workers_wanted() -> None:
    """Skip where nobody asked for clusters: they take minutes (`make test-cluster`)."""
    if not os.environ.get("PERENNIAL_TEST_SPARK"):
        pytest.skip("a cluster of Spark takes minutes: PERENNIAL_TEST_SPARK is not set")


@pytest.fixture(scope="session")
def local_place(spark_python):
    """Spark in the driver's own process, with two threads."""
    yield SparkPlace(
        python=str(spark_python),
        master="local[2]",
        conf={
            "spark.sql.shuffle.partitions": "4",
            "spark.driver.memory": "1g",
            "spark.driver.extraJavaOptions": QUICK,
        },
        folder="",
        seconds=120,
    )
    end_sessions()


@pytest.fixture(scope="session")
def cluster(workers_wanted, spark_python, tmp_path_factory):
    """A standalone cluster with two workers, that all tests may use and none may harm."""
    cluster = Cluster(spark_python, tmp_path_factory.mktemp("spark-cluster")).start()
    yield cluster
    end_sessions()
    cluster.end()


@pytest.fixture
def own_cluster(workers_wanted, spark_python, tmp_path):
    """A cluster of the test's own, to be harmed; its drivers are ended first."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(spark_python, folder)
    yield cluster
    end_sessions()
    cluster.end()
