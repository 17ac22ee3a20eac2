"""The real command, in a process of its own, on a real folder."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from pipelines.ledger import Outcome, outcomes
from pipelines.messages import DecideRequest
from pipelines.step_record import last_record
from pipelines.steps import decide
from tests.cli.commands import run_process
from tests.conftest import ROOT
from tests.decisions import raw
from tests.unit.steps.verdicts import drifted, enter


@pytest.fixture
def perennial(world):
    """The command in a process of its own."""
    return lambda *arguments, **more: run_process(world, arguments, **more)


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


def test_each_step_by_hand_without_airflow(perennial, command):
    for step in ("ingest", "validate", "features", "train", "gate", "package"):
        done = perennial(
            step, "sales", *(["--as-of", "2024-01-05"] if step == "ingest" else []), "--json"
        )
        assert done.returncode == 0, f"{step}: {done.stderr}"
        result = json.loads(done.stdout)
        verdicts = done.stderr.count("Verdict on linear (version 1): PROMOTE")
        assert verdicts == (step == "gate"), done.stderr
    assert result["compiled"]
    assert json.loads(command("status", "sales", "--json").stdout)[0]["last_verdict"].startswith(
        "promote: linear (version 1)"
    )
    [verdict] = json.loads(command("history", "sales", "--json").stdout)
    assert (verdict["kind"], verdict["body"]["verdict"]) == ("verdict", "promote")
    away = command("deploy", "sales", PERENNIAL_DEPLOY_TIMEOUT_SECONDS="0.5")
    assert away.returncode == 75
    assert "127.0.0.1:1" in away.stderr
    assert command("close", "sales").returncode == 0
    assert "failed version 1: hand__" in command("history", "sales", COLUMNS="250").stdout


def test_a_look_by_hand_starts_nothing_and_says_so(command):
    done = command("drift", "sales", "--window-end", "2024-01-05")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "Verdict on the window from 2024-01-04T00:00:00Z to 2024-01-05T00:00:00Z: NOT ENOUGH DATA"
    )
    assert "Nothing was started" in done.stdout
    page = done.stdout.split("Page: ")[1].splitlines()[0]
    assert "Not enough data" in Path(page).read_text()
    found = json.loads(command("drift", "sales", "--json").stdout)
    assert (found["verdict"], found["window"]["end"], found["started"]) == (
        "not_enough_data",
        "2024-01-09T00:00:00Z",
        None,
    )
    assert Path(found["page_file"]).is_file()
    entries = json.loads(command("history", "sales", "--json").stdout)
    assert [e["kind"] for e in entries] == ["drift", "drift"]
    status = command("status", "sales").stdout
    assert (
        "not enough data: window until 2024-01-09T00:00:00Z (0 rows of batches, 0 labelled, without"
        " a champion)" in status
    )


def test_the_steps_of_a_watch_for_programs(command, world):
    def step(name, **request):
        done = command(
            name, "--model", "sales", "--request", json.dumps({"run": "watch", **request})
        )
        assert done.returncode == 0, done.stderr
        return last_record(done.stdout.splitlines(), name)

    conf = {"window_end": "2024-01-05T00:00:00Z"}
    ingested = step("ingest", now="2026-01-01T00:00:00Z", purpose="drift", conf=conf)
    found = step("drift", ingest=ingested, validate=step("validate", ingest=ingested))
    decided = step("decide", drift=found)
    assert decided["start"] is False
    assert step("report", drift=found, decide=decided)["outcome"] == "nothing_to_do"


def test_status_and_history_say_what_a_watch_did(command, world):
    context = world.context()
    ledger = context.ports.ledger
    for day, starts in ((3, True), (5, False)):
        run = f"watch-{day}"
        assert (
            decide.run(
                context, DecideRequest(run=run, drift=enter(ledger, run, drifted(day)))
            ).start
            is starts
        )
    [status] = json.loads(command("status", "sales", "--json").stdout)
    assert status["last_drift"].startswith(
        "drift: window until 2024-01-07T00:00:00Z (240 rows of traffic, 230 labelled, against"
        " version 1)"
    )
    asked = "retraining drift__sales__2024-01-05T00:00:00Z asked for: the channel is another one"
    assert status["open_request"] == asked
    said = command("history", "sales", COLUMNS="300").stdout
    assert asked in said
    assert (
        "no retraining for the window until 2024-01-07T00:00:00Z: the retraining"
        " drift__sales__2024-01-05T00:00:00Z was asked for" in said
    )
    outcome = Outcome(outcome="refused", version="2", reasons=["not better"])
    outcomes.record(ledger, "sales", "drift__sales__2024-01-05T00:00:00Z", outcome)
    assert json.loads(command("status", "sales", "--json").stdout)[0]["open_request"] is None
    ledger.append("sales", "newer", raw("drift", {"grade": "A", "rows": 3}))
    said = command("history", "sales", COLUMNS="300").stdout
    assert "refused version 2: drift__sales__2024-01-05T00:00:00Z: not better" in said
    assert "grade A, rows 3" in said  # of a newer version: shown as it is


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
def test_wrong_use_is_named_with_its_exit_code(perennial, arguments, code, words):
    done = perennial(*arguments)
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
    assert "1" in done.stderr


def test_the_installed_command_is_the_same():
    from importlib.metadata import entry_points

    [script] = [e for e in entry_points(group="console_scripts") if e.name == "perennial"]
    assert script.value == "pipelines.cli:main"
    assert (ROOT / "pipelines" / "__main__.py").is_file()


def test_where_nothing_ever_served_nothing_is_rolled_back_or_promoted(command):
    done = command("rollback", "sales")
    assert (done.returncode, "No version of sales has served yet" in done.stderr) == (65, True)
    done = command("promote", "sales", "1; rm -rf /")
    assert (done.returncode, "has no bundle that was ever released" in done.stderr) == (65, True)
    assert command("rollback", "../sales").returncode == 65
    assert "--to" in command("rollback", "--help").stdout
