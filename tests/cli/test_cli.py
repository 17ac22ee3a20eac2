"""The real command on a real folder: what it lists, shows and refuses."""

import json
import subprocess
import sys
import tomllib

import jsonschema
import pytest
import yaml

from pipelines.cli import READER_GONE
from tests.conftest import ROOT


def test_help_teaches(perennial):
    done = perennial("--help")
    assert done.returncode == 0
    for word in (
        "check",
        "status",
        "history",
        "schema",
        "ingest",
        "65 a retry cannot help",
        "75 try again",
    ):
        assert word in " ".join(done.stdout.split())
    assert "--as-of" in perennial("ingest", "--help").stdout


def test_no_command_waits_for_a_library_that_only_others_need():
    program = "import sys, pipelines.cli.app; print({*sys.modules} & {'sklearn', 'mlflow', 'dvc'})"
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("arguments", [["models"], ["models", "--json"], ["schema"]])
def test_a_reader_that_goes_away_is_no_error(world, arguments):
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == READER_GONE


def test_models_lists_good_and_broken_ones(command, world):
    broken = world.home / "models" / "wrong"
    broken.mkdir()
    (broken / "model.yaml").write_text("name: wrong\n")
    done = command("models", "--json")
    assert done.returncode == 65
    good, bad = sorted(json.loads(done.stdout), key=lambda m: m["model"])
    assert (good["model"], good["error"]) == ("sales", None)
    assert "models/wrong/model.yaml:1: owner: missing" in bad["error"]
    done = command("status", "--json")
    assert done.returncode == 65
    assert [(row["model"], row["error"] is None) for row in json.loads(done.stdout)] == [
        ("sales", True),
        ("wrong", False),
    ]
    assert "  broken    models/wrong/model.yaml:1: owner: missing" in command("status").stdout


def test_schema_is_a_json_schema_of_the_spec(perennial, world):
    schema = json.loads(perennial("schema").stdout)
    body = yaml.safe_load((world.home / "models" / "sales" / "model.yaml").read_text())
    jsonschema.validate(json.loads(json.dumps(body, default=str)), schema)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["frobnicate"], 64, "No such command", id="no such command"),
        pytest.param(["models", "--jsn"], 64, "No such option", id="no such option"),
        pytest.param(["ingest"], 65, "needs a model", id="no model"),
        pytest.param(["check", "sale"], 65, "", id="a model's name with a typo"),
        pytest.param(
            ["status", "../../etc"], 65, "There is no models/../../etc", id="a path for a name"
        ),
        pytest.param(["validate", "sales"], 65, "begin one", id="no run yet"),
        pytest.param(["ingest", "sales", "--request", "{"], 65, "no JSON", id="a torn request"),
        pytest.param(
            ["ingest", "sales", "--request", '{"run": "r"}'],
            65,
            "now",
            id="a request that lacks a field",
        ),
        pytest.param(
            ["ingest", "sales", "--as-of", "$(id)"], 65, "as_of", id="a command as a moment"
        ),
        pytest.param(
            ["train", "sales", "--candidate", "nobody"], 65, "", id="an unknown candidate"
        ),
        pytest.param(["drift"], 65, "needs a model", id="a watch of no model"),
        pytest.param(
            ["drift", "sales", "--window-end", "2024-01-05T10:00"],
            65,
            "no day ends at",
            id="a window that ends within a day",
        ),
        pytest.param(
            ["drift", "sales", "--window-end", "$(id)"],
            65,
            "window_end",
            id="a command as a window",
        ),
        pytest.param(
            ["drift", "sales", "--request", "{"], 65, "no JSON", id="a torn request for a watch"
        ),
        pytest.param(["decide", "sales"], 65, "perennial drift MODEL", id="deciding by hand"),
        pytest.param(["report", "sales"], 65, "perennial drift MODEL", id="reporting by hand"),
    ],
)
def test_wrong_use_is_named_with_its_exit_code(command, arguments, code, words):
    done = command(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_touched_ledger_is_told(command, world):
    import sqlite3

    command("ingest", "sales", "--as-of", "2024-01-05")
    world.rewrite(1, world.frame(1).iloc[:0])
    command("ingest", "sales", "--as-of", "2024-01-05")
    assert command("validate", "sales").returncode == 65
    with sqlite3.connect(world.home / "var" / "ledger" / "ledger.db") as database:
        for (name,) in database.execute(
            "select name from sqlite_master where type = 'trigger'"
        ).fetchall():
            database.execute(f'drop trigger "{name}"')
        database.execute("update entries set body = replace(body, 'row count', 'no problem')")
    database.close()
    done = command("history", "sales")
    assert done.returncode == 65
    assert "Entry 3 of" in done.stderr  # two ingests stand before the quarantine


def test_the_installed_command_is_the_same():
    from importlib.metadata import entry_points

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"perennial": "pipelines.cli:program"}
    [script] = [e for e in entry_points(group="console_scripts") if e.name == "perennial"]
    # An environment that an earlier version made calls `main`, until a lock changes.
    assert script.value in {"pipelines.cli:program", "pipelines.cli:main"}
    assert callable(script.load())
    assert (ROOT / "pipelines" / "__main__.py").is_file()


def test_where_nothing_ever_served_nothing_is_rolled_back_or_promoted(command):
    done = command("rollback", "sales")
    assert (done.returncode, "No version of sales has served yet" in done.stderr) == (65, True)
    done = command("promote", "sales", "1; rm -rf /")
    assert (done.returncode, "has no bundle that was ever released" in done.stderr) == (65, True)
    assert command("rollback", "../sales").returncode == 65
    assert "--to" in command("rollback", "--help").stdout
