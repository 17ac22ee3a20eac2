"""The DAG files as Airflow reads them.

Isolation of broken specs, lightness, many models, plugins left alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dags.specs import spec_text, write_models

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "pandas",
    "numpy",
    "sklearn",
    "scipy",
    "mlflow",
    "great_expectations",
    "evidently",
    "pyarrow",
    "ibis",
    "duckdb",
    "dvc",
    "skops",
    "onnx",
}

pytestmark = pytest.mark.slow


def read(home: Path, *arguments: str, dags: Path = ROOT / "dags") -> dict:
    environ = {
        **os.environ,
        "PERENNIAL_HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "dags" / "bag.py"), str(dags), *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    line = next(line for line in process.stdout.splitlines() if line.startswith("FACTS "))
    return json.loads(line.removeprefix("FACTS "))


@pytest.fixture(scope="module")
def bare_modules(tmp_path_factory) -> set[str]:
    """What Airflow itself loads for a DAG that does nothing."""
    home = tmp_path_factory.mktemp("bare")
    (home / "dags").mkdir()
    (home / "dags" / "one.py").write_text("from airflow.sdk import DAG\ndag = DAG('one')\n")
    return set(read(home, dags=home / "dags")["modules"])


@pytest.fixture(scope="module")
def two_models(tmp_path_factory) -> dict:
    """What comes of two models that want nothing beyond a retraining."""
    return read(write_models(tmp_path_factory.mktemp("two"), "cabs", "demo"))


def test_each_model_has_its_dag_and_nothing_heavy_is_imported_for_it(two_models, bare_modules):
    facts = two_models
    kinds = ("prove", "replay", "retrain", "rollback")
    assert facts["dags"] == [f"{kind}_{name}" for kind in kinds for name in ("cabs", "demo")]
    assert facts["errors"] == {}
    assert HEAVY & set(facts["modules"]) <= bare_modules, "no more than a bare DAG costs"


def test_each_watched_model_has_its_drift_dag_and_still_nothing_heavy_is_imported(
    tmp_path, bare_modules
):
    write_models(tmp_path, "cabs", drift="monthly")
    facts = read(write_models(tmp_path, "demo"))
    assert facts["dags"] == [
        "drift_cabs",
        "prove_cabs",
        "prove_demo",
        "replay_cabs",
        "replay_demo",
        "retrain_cabs",
        "retrain_demo",
        "rollback_cabs",
        "rollback_demo",
    ]
    assert facts["errors"] == {}
    more = set(facts["modules"]) - bare_modules
    heavy = {
        name
        for name in more
        if name.startswith(
            ("perennial_airflow.pages", "fastapi", "sqlalchemy.orm", "airflow.api_fastapi")
        )
    }
    assert HEAVY & more == set()
    assert heavy == set(), (
        "only the API server loads the pages, and only a waiting task its trigger"
    )


def test_a_model_that_asks_a_person_brings_airflows_question_and_no_ledger(tmp_path, two_models):
    question = "airflow.providers.standard.operators.hitl"
    assert question not in two_models["modules"]
    write_models(tmp_path, "cabs")
    facts = read(write_models(tmp_path, "asked", gate=", approval: required"))
    assert facts["errors"] == {}
    assert question in facts["modules"]
    light = {"pipelines.ledger", "pipelines.approvals", "pipelines.ports", *HEAVY}
    assert light & set(facts["modules"]) == set()


def test_a_broken_spec_is_an_import_error_with_its_remedy_and_breaks_nothing_else(tmp_path):
    write_models(tmp_path, "cabs", "demo", "typo", "yaml", "Not a name")
    (tmp_path / "models" / "typo" / "model.yaml").write_text(spec_text("typo") + "colour: red\n")
    (tmp_path / "models" / "yaml" / "model.yaml").write_text("name: [unclosed\n")
    for name in ("folder", "pipe", "gone"):
        (tmp_path / "models" / name).mkdir()
    (tmp_path / "models" / "folder" / "model.yaml").mkdir()
    os.mkfifo(tmp_path / "models" / "pipe" / "model.yaml")
    (tmp_path / "models" / "gone" / "model.yaml").symlink_to("nowhere")
    facts = read(tmp_path)
    kinds = ("prove", "replay", "retrain", "rollback")
    assert facts["dags"] == [f"{kind}_{name}" for kind in kinds for name in ("cabs", "demo")]
    error = facts["errors"].pop("broken_specs.py")
    assert facts["errors"] == {}
    assert "models/typo/model.yaml:17: colour: unknown key; did you mean 'column'?" in error
    assert "models/yaml/model.yaml" in error
    assert "models/folder/model.yaml is a folder" in error
    assert "models/pipe/model.yaml is a named pipe" in error
    assert "models/gone/model.yaml is a link to nothing" in error
    assert "models/Not a name: the folder's name is no model's name" in error


def test_a_worker_builds_only_the_dag_that_it_is_asked_for(tmp_path):
    write_models(tmp_path, "cabs", "demo", "typo")
    (tmp_path / "models" / "typo" / "model.yaml").write_text("name: typo\n")
    facts = read(tmp_path, "retrain_demo")
    assert (facts["dags"], facts["errors"]) == (["retrain_demo"], {})


def test_a_hundred_models_are_a_hundred_dags(tmp_path):
    names = [f"model_{number:03}" for number in range(100)]
    facts = read(write_models(tmp_path, *names))
    kinds = ("prove", "replay", "retrain", "rollback")
    assert facts["dags"] == [f"{kind}_{name}" for kind in kinds for name in names]


def test_the_same_files_give_the_same_dag_every_time(tmp_path):
    """Otherwise Airflow would show a new version of the DAG at every parse."""
    write_models(tmp_path, "demo", drift="daily")
    first = read(tmp_path)["serialized"]
    kinds = ("drift", "prove", "replay", "retrain", "rollback")
    assert set(first) == {f"{kind}_demo" for kind in kinds}
    assert first == read(tmp_path)["serialized"]


def test_airflow_takes_one_file_below_plugins_for_a_plugin(two_models):
    """It would import each file under its bare name, where it could replace a library."""
    names = {path.stem for path in (ROOT / "plugins" / "perennial_airflow").rglob("*.py")} - {
        "__init__",
        "operator",
        "html",
    }
    assert names.isdisjoint(two_models["modules"])
    assert [path.name for path in (ROOT / "plugins").glob("*.py")] == ["perennial_plugin.py"]


def test_a_worker_builds_only_the_drift_dag_that_it_is_asked_for(tmp_path):
    facts = read(write_models(tmp_path, "cabs", "demo", drift="daily"), "drift_demo")
    assert (facts["dags"], facts["errors"]) == (["drift_demo"], {})


def test_where_routes_are_set_there_is_the_dag_alerts_and_drift_has_a_deadline(
    tmp_path, monkeypatch, bare_modules
):
    monkeypatch.setenv("PERENNIAL_ALERTS", "alerts.yaml")
    write_models(tmp_path, "demo", drift="daily")
    facts = read(tmp_path)
    assert facts["errors"] == {}
    kinds = ("drift", "prove", "replay", "retrain", "rollback")
    assert facts["dags"] == ["alerts", *(f"{kind}_demo" for kind in kinds)]
    assert "perennial_airflow.deadlines.tell_people" in facts["serialized"]["drift_demo"]
    heavy = {"apprise", "pipelines.ledger", "pipelines.alerts.outbox", *HEAVY}
    assert heavy & set(facts["modules"]) <= bare_modules
    assert facts["serialized"] == read(tmp_path)["serialized"], "one version of the DAG"
