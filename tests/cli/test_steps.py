"""The steps as commands, by hand and for programs, on a real folder."""

import json
from pathlib import Path

from pipelines.ledger import Outcome, Override, outcomes
from pipelines.messages import DecideRequest
from pipelines.step_record import last_record
from pipelines.steps import decide
from tests.decisions import crown, gate_verdict, raw
from tests.unit.steps.verdicts import drifted, enter


def test_each_step_by_hand_without_airflow(command):
    for step in ("ingest", "validate", "features", "train", "gate", "package"):
        done = command(
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
    entries = json.loads(command("history", "sales", "--json").stdout)
    kinds = [entry["kind"] for entry in entries]
    assert set(kinds) == {"ingest", "validation", "features", "training", "verdict"}
    verdict = entries[kinds.index("verdict")]
    assert verdict["body"]["verdict"] == "promote"
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
    assert [e["kind"] for e in entries if e["kind"] == "drift"] == ["drift", "drift"]
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


def test_status_and_history_mark_a_version_that_a_person_promoted(command, world):
    ledger = world.context().ports.ledger
    ledger.append("sales", "weak", gate_verdict(version="2", verdict="refuse", reasons=["weak"]))
    over = Override(
        version="2", by="ann", reason="we must", refused_by="weak", reasons=["too", "weak"]
    )
    ledger.append("sales", "override:hand__x", over)
    ledger.crown("sales", expected=None, champion=crown("2"), key="override:hand__x")
    mark = "refused, and overridden by ann: we must"
    [champion, verdict] = [
        line
        for line in command("status", "sales").stdout.splitlines()
        if line.split()[0] in {"champion", "verdict"}
    ]
    assert champion.endswith(f"(release 1), {mark}")
    assert verdict.endswith(f"[{mark}]")
    history = command("history", "sales", COLUMNS="250").stdout
    assert history.count(mark) == 3, "the verdict, the override itself, the crown"
    assert "(refused because: too; weak)" in history


def test_a_step_for_programs_prints_logs_to_stderr_and_one_record(perennial):
    request = {"run": "r", "now": "2026-01-01T00:00:00Z", "conf": {"as_of": "2024-01-05T00:00:00Z"}}
    done = perennial("ingest", "--model", "sales", "--request", json.dumps(request))
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert last_record([line], "ingest")["batches"] == 4
    assert "batch 2024-01-01T00: 240 rows, new" in done.stderr
    assert "peak memory" in done.stderr


def test_a_run_by_hand_cannot_take_a_name_of_the_schedules(command):
    done = command("ingest", "sales", "--run", "scheduled__2024-01-05T00:00:00+00:00")
    assert done.returncode == 65
    assert "is a name of the schedule's runs" in done.stderr


def test_a_helper_of_a_search_is_for_programs_and_names_what_a_person_runs(command):
    done = command("search", "sales")
    assert done.returncode == 65
    assert "search is for programs." in done.stderr
    assert "perennial train MODEL" in done.stderr
