"""Each benchmark begins, measures something small and ends well.

What it claims is judged by `make bench` alone.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.running import RESULTS, WITH_AN_ENGINE, run

LONG = ("loop", "demo", "kills", "init", "suites", "metrics")


def test_each_benchmark_is_started_by_a_test():
    here = re.findall(r'run\("(\w+)"\)', Path(__file__).read_text(encoding="utf-8"))
    started = {*here, *LONG, *WITH_AN_ENGINE}
    assert started == set(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_can_be_imported(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


def test_each_committed_figure_is_one_of_a_benchmark():
    figures = [path for path in RESULTS.glob("*.json") if not path.name.endswith(".env.json")]
    assert {path.stem for path in figures} <= set(BENCHMARKS)
    for path in figures:
        assert all(
            set(measure) == {"measure", "value", "unit", "asked"}
            for measure in json.loads(path.read_text())
        )
        assert json.loads(path.with_name(f"{path.stem}.env.json").read_text())["versions"]["python"]


def test_reading_the_log_back_runs():
    assert "500 rows with labels" in run("readback")


@pytest.mark.slow
def test_parsing_runs_and_finds_the_dags_of_each_model():
    assert "2 models (3 DAGs each)" in run("parsing")


@pytest.mark.slow
def test_packages_of_a_model_are_measured():
    assert "second use, slowest of 5" in run("environments")


@pytest.mark.slow
def test_looking_for_drift_runs():
    assert "600 x 15 rows" in run("drift")


@pytest.mark.slow
def test_serving_runs():
    if not (shutil.which("wrk") and shutil.which("taskset")):
        pytest.skip("wrk or taskset is not installed (Debian: apt-get install wrk util-linux)")
    assert "requests/s" in run("serving")


@pytest.mark.slow
def test_serving_own_pipelines_runs():
    if not (shutil.which("wrk") and shutil.which("taskset")):
        pytest.skip("wrk or taskset is not installed (Debian: apt-get install wrk util-linux)")
    assert "gathering requests gains" in run("native")


def test_comparing_models_runs():
    assert "equal models, proven better" in run("gate")


def test_profiling_runs():
    assert "beyond chance" in run("profile")


def test_reading_a_csv_runs():
    assert "against DuckDB" in run("ingest")


def test_planted_leaks_run():
    assert "harmless columns" in run("leaks")


@pytest.mark.slow
def test_comparing_what_is_served_with_what_was_fitted_runs():
    assert "greatest difference" in run("parity")


def test_resuming_searches_runs():
    assert "same best trial as undisturbed" in run("resume")


def test_choosing_among_candidates_runs():
    assert "one standard error takes the simple one" in run("choice")


def test_the_rates_of_a_forecast_run():
    assert "as good as the seasonal naive, proven better" in run("forecast")


def test_comparing_over_folds_runs():
    assert "30 rows: equal, better" in run("folds")


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", LONG)
def test_what_takes_many_minutes_runs(name):
    run(name)
