"""The real command, in a process of its own, on a real folder."""

import json
import os
import subprocess
import sys

import jsonschema
import pytest
import yaml

from pipelines.refs import last_record
from tests.conftest import ROOT


@pytest.fixture
def perennial(world):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    environ |= {"PERENNIAL_HOME": str(world.home), "PERENNIAL_STATE": str(world.home / "var"), "PERENNIAL_SERVING_PORT": "1"}

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipelines", *arguments]
        return subprocess.run(command, cwd=world.home, env={**environ, **more}, capture_output=True, text=True, check=False)

    return run


def test_help_teaches(perennial):
    done = perennial("--help")
    assert done.returncode == 0
    for word in ("check", "status", "history", "schema", "ingest", "65 a retry cannot help", "75 try again"):
        assert word in " ".join(done.stdout.split())
    assert "--as-of" in perennial("ingest", "--help").stdout


def test_models_lists_good_and_broken_ones(perennial, world):
    broken = world.home / "models" / "wrong"
    broken.mkdir()
    (broken / "model.yaml").write_text("name: wrong\n")
    done = perennial("models", "--json")
    assert done.returncode == 65
    good, bad = sorted(json.loads(done.stdout), key=lambda m: m["model"])
    assert (good["model"], good["error"]) == ("sales", None)
    assert "models/wrong/model.yaml: owner: missing" in bad["error"]


def test_schema_is_a_json_schema_of_the_spec(perennial, world):
    schema = json.loads(perennial("schema").stdout)
    body = yaml.safe_load((world.home / "models" / "sales" / "model.yaml").read_text())
    jsonschema.validate(json.loads(json.dumps(body, default=str)), schema)


def test_check_tries_everything_on_one_batch_and_keeps_nothing(perennial, world):
    done = perennial("check", "sales", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [f["check"] for f in json.loads(done.stdout)] == ["spec", "candidates", "source", "expectations", "features"]
    assert not (world.home / "var" / "store").exists()


@pytest.mark.parametrize(
    ("break_it", "check", "words", "code"),
    [
        pytest.param(lambda w: w.respec("owner: shop\n", ""), "spec", "owner: missing", 65, id="spec"),
        pytest.param(lambda w: w.respec("{C: [0.1, 1.0]}", "{CC: [1]}"), "candidates", "CC", 65, id="a parameter that is not there"),
        pytest.param(lambda w: w.raw(7).unlink(), "source", "2024-01-08.csv", 75, id="source"),
        pytest.param(lambda w: w.raw(7).write_bytes(b"\xff"), "source", "not readable", 65, id="unreadable"),
        pytest.param(lambda w: w.rewrite(7, w.frame(7).assign(bought=9)), "expectations", "bought", 65, id="expectations"),
        pytest.param(
            lambda w: (w.home / "models" / "sales" / "features.py").write_text("x ="), "features", "SyntaxError", 65, id="features"
        ),
    ],
)
def test_check_names_what_to_mend(perennial, world, break_it, check, words, code):
    break_it(world)
    done = perennial("check", "sales", "--json")
    last = json.loads(done.stdout)[-1]
    assert (last["check"], last["ok"], done.returncode) == (check, False, code)
    assert words in last["detail"]


def test_each_step_by_hand_without_airflow(perennial):
    for step in ("ingest", "validate", "features", "train", "gate", "package"):
        done = perennial(step, "sales", *(["--as-of", "2024-01-05"] if step == "ingest" else []), "--json")
        assert done.returncode == 0, f"{step}: {done.stderr}"
        result = json.loads(done.stdout)
    assert result["compiled"]
    assert json.loads(perennial("status", "sales", "--json").stdout)[0]["last_verdict"].startswith("promote: version 1 (linear)")
    [verdict] = json.loads(perennial("history", "sales", "--json").stdout)
    assert (verdict["kind"], verdict["body"]["verdict"]) == ("verdict", "promote")
    away = perennial("deploy", "sales", PERENNIAL_DEPLOY_TIMEOUT_SECONDS="0.5")
    assert away.returncode == 75
    assert "127.0.0.1:1" in away.stderr
    assert perennial("close", "sales").returncode == 0


def test_a_step_for_programs_prints_logs_to_stderr_and_one_record(perennial):
    request = {"run": "r", "now": "2026-01-01T00:00:00Z", "conf": {"as_of": "2024-01-05T00:00:00Z"}}
    done = perennial("ingest", "--model", "sales", "--request", json.dumps(request))
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert last_record([line], "ingest")["batches"] == 4
    assert "batch 2024-01-01T00: 240 rows, new" in done.stderr
    assert "peak memory" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["frobnicate"], 64, "No such command", id="no such command"),
        pytest.param(["models", "--jsn"], 64, "No such option", id="no such option"),
        pytest.param(["ingest"], 65, "needs a model", id="no model"),
        pytest.param(["check", "sale"], 65, "", id="a model's name with a typo"),
        pytest.param(["status", "../../etc"], 65, "There is no models/../../etc", id="a path for a name"),
        pytest.param(["validate", "sales"], 65, "begin one", id="no run yet"),
        pytest.param(["ingest", "sales", "--request", "{"], 65, "no JSON", id="a torn request"),
        pytest.param(["ingest", "sales", "--request", '{"run": "r"}'], 65, "now", id="a request that lacks a field"),
        pytest.param(["ingest", "sales", "--as-of", "$(id)"], 65, "as_of", id="a command as a moment"),
        pytest.param(["train", "sales", "--candidate", "nobody"], 65, "", id="an unknown candidate"),
    ],
)
def test_wrong_use_is_named_with_its_exit_code(perennial, arguments, code, words):
    done = perennial(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_touched_ledger_is_told(perennial, world):
    import sqlite3

    perennial("ingest", "sales", "--as-of", "2024-01-05")
    world.rewrite(1, world.frame(1).iloc[:0])
    perennial("ingest", "sales", "--as-of", "2024-01-05")
    assert perennial("validate", "sales").returncode == 65
    with sqlite3.connect(world.home / "var" / "ledger" / "ledger.db") as database:
        for (name,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f'drop trigger "{name}"')
        database.execute("update entries set body = replace(body, 'row count', 'no problem')")
    database.close()
    done = perennial("history", "sales")
    assert done.returncode == 65
    assert "1" in done.stderr


def test_the_installed_command_is_the_same():
    from importlib.metadata import entry_points

    [script] = [e for e in entry_points(group="console_scripts") if e.name == "perennial"]
    assert script.value == "pipelines.cli:main"
    assert (ROOT / "pipelines" / "__main__.py").is_file()
