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
from tests.benchmarks.running import RESULTS, WITH_AN_ENGINE, run, run_together
from tests.conftest import ROOT

LONG = ("loop", "demo", "kills", "init", "suites", "metrics", "replay", "replay_speed")
LONG += ("plain_replay", "gate_proof", "gate_speed", "quiet_lives", "parity", "proof", "drift")
LONG += ("worker_kills", "bucket", "large", "large_batch", "large_training", "growth", "queue")
LONG += ("rolling", "spark")
# Their subjects have tests of their own, and `serving` shows that wrk and two servers run.
LONG += ("search_parallel", "native", "idle")


def test_each_benchmark_is_started_by_a_test():
    here = re.findall(r'run\("(\w+)"\)', Path(__file__).read_text(encoding="utf-8"))
    started = {*here, *TOGETHER, *LONG, *WITH_AN_ENGINE}
    assert started == set(BENCHMARKS)


def test_make_runs_each_benchmark_that_it_names():
    """`filter` drops a name that is none in silence."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    lists = dict(re.findall(r"^(\w+) := \$\(filter .*\), (.*)\)$", text, re.MULTILINE))
    assert {"JUDGEMENT", "WATCHING", "SCALE"} == lists.keys()
    assert set(" ".join(lists.values()).split()) <= set(BENCHMARKS)
    assert {"drift", "replay", "replay_speed", "plain_replay", "replay_evidence", "season"} <= set(
        lists["WATCHING"].split()
    )


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


TOGETHER = {
    "readback": "500 rows with labels",
    "gate": "equal models, proven better",
    "dependence": "intervals that hold the truth",
    "importance": "used in vain",
    "profile": "beyond chance",
    "ingest": "against DuckDB",
    "leaks": "harmless columns",
    "ledger": "touched rows that verify names",
    "resume": "same best trial as undisturbed",
    "choice": "one standard error takes the simple one",
    "folds": "30 rows: equal, better",
    "forecast": "as good as the seasonal naive, proven better",
    "anomaly": "kept promises called broken",
    "clusters": "no groups, 4 looked for: the challenger is refused",
    "quantiles": "split conformal",
    "erase": "erased and searched",
    "promotion": "ends with two winners",
    "renewal": "promoted, though truly worse by",
    "checks": "found by a tree",
    "false_alarms": "independent rows: 50 x 1",
    "power": "mean +0.3 sd",
    "claims": "probabilities that hold",
    "few_windows": "4 weeks, 1 statistic",
    "replay_evidence": "half served alike: truth",
    "before_labels": "nothing changes: intervals that hold the truth",
    "causes": "broken pipes taken for something to learn from",
    "season": "Season",
    "effects": "measured on labels",
    "decisions": "Decisions",
}
"""What each of those that compute in their own process prints."""


@pytest.fixture(scope="module")
def ended():
    return run_together(list(TOGETHER))


@pytest.mark.slow
@pytest.mark.parametrize("name", TOGETHER)
def test_what_computes_runs(ended, name):
    code, said = ended[name]
    assert code == 0, said
    assert TOGETHER[name] in said


@pytest.mark.slow
def test_parsing_runs_and_finds_the_dags_of_each_model():
    assert "2 models (5 DAGs each)" in run("parsing")


@pytest.mark.slow
def test_a_fleet_is_parsed_shown_and_listed():
    assert "full parse" in run("fleet")


@pytest.mark.slow
def test_packages_of_a_model_are_measured():
    assert "second use, slowest of 5" in run("environments")


@pytest.mark.slow
def test_serving_runs():
    if not (shutil.which("wrk") and shutil.which("taskset")):
        pytest.skip("wrk or taskset is not installed (Debian: apt-get install wrk util-linux)")
    assert "requests/s" in run("serving")


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", LONG)
def test_what_takes_many_minutes_runs(name):
    run(name)
