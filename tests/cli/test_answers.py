"""`who-served`, `why`, `why-prediction`, `lineage`, `export`: what people and programs get."""

from __future__ import annotations

import json
import shutil

import msgspec
import pytest

from pipelines.ledger.sql import SqlLedger
from pipelines.settings import local_path
from pipelines.store.local import LocalStore
from tests.cli.commands import run_here
from tests.unit.answers.records import BUNDLE, judged
from tests.unit.inference_log import logs

FUTURE = ("--at", "2199-01-01")


@pytest.fixture
def ask(world):
    """The command in a world whose version 1 serves, and answered a request with a nasty input."""
    store = LocalStore(local_path(world.settings.store))
    judged(store, SqlLedger(world.settings.ledger_url))
    header = msgspec.structs.replace(logs.predictions(), model="sales")
    logs.write(store, "1", header, logs.answered("r1", 1, rows=((1.5, "\x1b[2J\n"),)))
    return lambda *arguments: run_here(world, arguments, COLUMNS="120")


def json_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def said(done):
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_who_served(ask):
    text = said(ask("who-served", "sales", *FUTURE))
    assert "served      version 1, release 1" in text
    assert "and still does (entry 4)" in text
    assert "verdict of run: promote (every check passed)" in text
    assert "served      nothing" in said(ask("who-served", "sales", "--at", "2013-04-01T12:00Z"))
    assert json_of(ask("who-served", "sales", "--json"))["turn"]["version"] == "1"
    assert json_of(ask("who-served", "sales", "--at", "1999-01-01", "--json"))["turn"] is None


def test_why(ask):
    text = said(ask("why", "sales", "1"))
    for words in (
        "verdict     promote: every check passed (entry 3,",
        "training    tree (Tree) on 3 rows, seed 7, run x in MLflow",
        f"lock        {'d' * 12}",
        "features    revision rev, 3 rows",
        "expected    not recorded",
        "served      release 1, since ",
        "batches     1 batch",
        "2026-01-01T00",
    ):
        assert words in text
    origin = json_of(ask("why", "sales", "1", "--json"))
    assert origin["batches"][0]["manifest"] == BUNDLE.sha256
    assert (origin["training"]["seed"], origin["training"]["lock"]) == (7, "d" * 64)


def test_why_prediction_shows_no_control_characters(ask):
    text = said(ask("why-prediction", "sales", "r1"))
    assert "answered    0.25 at 2026-03-01T00:01:00Z, by version 1, release 1" in text
    assert r"carrier \x1b[2J\n" in text
    assert "\x1b" not in text
    assert "seed 7" in text
    answer = json_of(ask("why-prediction", "sales", "r1", "--json"))
    assert answer["rows"][0]["inputs"]["carrier"] == "\x1b[2J\n"
    assert answer["why"][0]["version"] == "1"


def test_lineage_both_ways(ask):
    text = said(ask("lineage", "sales", "--batch", "2026-01-01T00"))
    assert "features    rev" in text
    assert "release 1, 20" in text
    down = json_of(ask("lineage", "sales", "--batch", BUNDLE.sha256, "--json"))
    assert (down["versions"], down["predictions"]) == (["1"], {"1": 1})
    named = said(ask("lineage", "sales", "--batch", "2026-01-01T00", "--predictions"))
    assert "│ r1      │ 0   │ 2026-03-01T00:01:00Z │ 1       │" in named
    assert "2026-01-01T00" in said(ask("lineage", "sales", "--version", "1"))
    up = json_of(ask("lineage", "sales", "--version", "1", "--json"))
    assert (up["features"]["revision"], up["batches"][0]["use"]) == ("rev", "train")


def test_export(ask):
    entries = [json.loads(line) for line in said(ask("export")).splitlines()]
    assert [e["kind"] for e in entries] == ["features", "training", "verdict", "champion"]
    events = said(ask("export", "sales", "--format", "openlineage")).splitlines()
    assert {json.loads(line)["eventType"] for line in events} == {"COMPLETE"}


def test_a_model_whose_folder_is_gone_is_answered_for(ask, world):
    shutil.rmtree(world.home / "models" / "sales")
    assert "version 1" in said(ask("who-served", "sales"))
    assert "seed 7" in said(ask("why", "sales", "1"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["who-served", "cabs"], 65, "There is no model 'cabs'", id="a model"),
        pytest.param(["why", "../../etc", "1"], 65, "There is no model", id="a path"),
        pytest.param(["export", "$(id)"], 65, "There is no model", id="a command"),
        pytest.param(["who-served", "sales", "--at", "yesterday"], 65, "no moment", id="a time"),
        pytest.param(["who-served", "sales", "--at", "9" * 99], 65, "no moment", id="a number"),
        pytest.param(["why", "sales", "2"], 65, "knows no version '2'", id="a version"),
        pytest.param(["why", "sales", "1' OR '1"], 65, "knows no version", id="a query"),
        pytest.param(["why-prediction", "sales", "r9"], 65, "no request 'r9'", id="a request"),
        pytest.param(["lineage", "sales", "--batch", "2026"], 65, "rests on a batch", id="a batch"),
        pytest.param(["lineage", "sales"], 65, "either --batch or --version", id="neither"),
        pytest.param(
            ["lineage", "sales", "--batch", "x", "--version", "1"], 65, "either", id="both"
        ),
        pytest.param(["export", "--format", "xml"], 64, "--format", id="a format"),
        pytest.param(["why", "sales"], 64, "version", id="no version"),
    ],
)
def test_what_is_not_there_is_named(ask, arguments, code, words):
    done = ask(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("who-served", "sales"), ("why", "sales", "1"), ("lineage", "sales", "--version", "1")],
)
def test_nothing_is_answered_from_a_touched_ledger(ask, world, arguments):
    import sqlite3
    from contextlib import closing

    with closing(
        sqlite3.connect(local_path(world.settings.ledger_url.split("://")[1]))
    ) as database:
        for (name,) in database.execute("select name from sqlite_master where type = 'trigger'"):
            database.execute(f'drop trigger "{name}"')
        database.execute("update entries set kind = 'champion' where seq = 1")
        database.commit()
    done = ask(*arguments)
    assert (done.returncode, done.stdout) == (65, "")
    assert "Entry 1 of" in done.stderr


def test_a_ledger_that_is_away_is_told(world):
    away = {"PERENNIAL_LEDGER_URL": "postgresql+psycopg2://x@127.0.0.1:1/x"}
    done = run_here(world, ("who-served", "sales"), **away)
    assert (done.returncode, done.stdout) == (75, "")
    assert "does not answer" in done.stderr


def test_help_teaches(ask):
    for command, words in {
        "who-served": ("--at 2013-04-01T12:00", "who was the champion"),
        "why": ("code, lock and seed", "did not record"),
        "why-prediction": ("request_id", "hashed or left out"),
        "lineage": ("--batch 2013-03-01T00", "--version 3"),
        "export": ("openlineage", "a JSON object on each line"),
    }.items():
        text = " ".join(ask(command, "--help").stdout.split())
        assert [word for word in words if word not in text] == []
