"""What the ledger answers to programs, and the page of a version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pipelines.errors import Unreachable
from pipelines.ledger import Validation, record_step
from pipelines.store.pages import publish_page
from tests.decisions import NOTHING, gate_verdict
from tests.unit.answers.records import BUNDLE, judged
from tests.unit.inference_log import logs

# Airflow's own modules import FastAPI's test client, which would like another HTTP library
# (Starlette 1, FastAPI 0.13x).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using `httpx` with `starlette.testclient` is deprecated"
)

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "docker" / "airflow.txt"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def asked(known):
    """A world in which version 1 serves, and answered a request."""
    judged(known.store, known.ledger)
    header = msgspec.structs.replace(logs.predictions(), model="sales")
    logs.write(known.store, "1", header, logs.answered("r/1", 1))
    return known


def json_of(answer):
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def test_programs_ask_what_the_commands_ask(asked):
    turn = json_of(asked.get("/api/sales/who-served?at=2024-01-05T00:00:00Z"))["turn"]
    assert (turn["version"], turn["release"]) == ("1", 1)
    assert json_of(asked.get("/api/sales/who-served"))["turn"] == turn
    assert json_of(asked.get("/api/sales/who-served?at=2023-01-01"))["turn"] is None
    origin = json_of(asked.get("/api/sales/why/1"))
    assert (origin["training"]["seed"], origin["batches"][0]["use"]) == (7, "train")
    answer = json_of(asked.get("/api/sales/why-prediction/r%2F1"))
    assert (answer["rows"][0]["version"], answer["why"]) == ("1", [origin])
    down = json_of(asked.get("/api/sales/lineage?batch=" + BUNDLE.sha256))
    assert (down["versions"], down["predictions"]) == (["1"], {"1": 1})
    named = json_of(asked.get("/api/sales/lineage?predictions=true&batch=2026-01-01T00"))
    assert [(r["request_id"], r["row"]) for r in named["rows"]] == [("r/1", 0)]


AS_IN_THE_IMAGE = """
import re, sys
from importlib.metadata import packages_distributions
from pathlib import Path

locked = set(re.findall(r"^([a-z0-9_.-]+)==", Path(sys.argv[1]).read_text(), re.MULTILINE))
named = {m: {d.lower().replace("_", "-") for d in ds} for m, ds in packages_distributions().items()}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if named.get(name.partition(".")[0], locked) - {"perennial"} - locked:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import pipelines.answers.predictions
import sklearn
"""


@pytest.mark.slow
def test_airflows_image_has_all_that_the_log_is_read_with():
    run = [sys.executable, "-P", "-c", AS_IN_THE_IMAGE, str(LOCK)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(run, capture_output=True, text=True, check=False, env=environment)
    assert found.stderr.endswith("ModuleNotFoundError: sklearn\n"), found.stderr


def test_a_ledger_that_is_away_is_told(asked, monkeypatch):
    def away(*_, **__):
        raise Unreachable("The ledger is away.", remedy="wait")

    monkeypatch.setattr(asked.ledger, "entries", away)
    answer = asked.get("/api/sales/who-served", accept="text/html")
    assert (answer.status_code, "is away" in answer.json()["detail"]) == (503, True)
    assert asked.get("/why/sales/1").status_code == 503


def test_entries_are_exported_line_by_line(asked):
    answer = asked.get("/api/sales/export")
    entries = [json.loads(line) for line in answer.text.splitlines()]
    assert [e["hash"] for e in entries] == [e.hash for e in asked.ledger.entries("sales")]
    events = asked.get("/api/sales/export?format=openlineage").text.splitlines()
    assert {json.loads(line)["eventType"] for line in events} == {"COMPLETE"}


def test_the_page_of_a_version_says_how_it_came_to_be(asked):
    suites = {"events": "e" * 64, HOSTILE: "f" * 64}
    step = Validation(
        run="run", plan=NOTHING, batches=1, rows=3, expectations=4, warnings=0, suites=suites
    )
    record_step(asked.ledger, "sales", step)
    refused = gate_verdict(version="2", verdict="refuse", reasons=[HOSTILE])
    asked.ledger.append("sales", "other", refused)
    text = asked.get("/why/sales/1").text
    for words in (
        "seed 7",
        "promote: every check passed",
        BUNDLE.sha256,
        "/perennial/api/sales/why",
    ):
        assert words in text
    text = asked.get("/why/sales/2").text
    assert "alert(1)" in text
    assert HOSTILE not in text
    assert "not recorded" in text


def test_the_page_of_a_version_leads_to_its_card_where_one_was_written(asked):
    refused = gate_verdict(version="2", verdict="refuse", reasons=["weak"])
    asked.ledger.append("sales", "other", refused)
    text = asked.get("/why/sales/2").text
    assert "Model card" not in text
    assert "perennial card sales 2" in text
    publish_page(asked.store, model="sales", kind="card", run="other", page=b"<p>card")
    text = asked.get("/why/sales/2").text
    assert "/perennial/pages/sales/card/other" in text
    assert "perennial card" not in text


def test_the_models_page_leads_to_it(asked):
    text = asked.get("/models/sales").text
    assert text.count('href="/perennial/why/sales/1"') == 2
    assert "features version rev with 3 rows" in text
    assert "tree (Tree) learnt from 3 rows, seed 7" in text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        pytest.param("/api/gone/why/1", 404, "There is no model", id="a model"),
        pytest.param("/api/SALES/export", 404, "no such model", id="no model's name"),
        pytest.param("/api/sales/why/9", 404, "knows no version", id="a version"),
        pytest.param("/api/sales/why/%00", 404, "knows no version", id="a zero byte"),
        pytest.param("/api/sales/why-prediction/r9", 404, "holds no request", id="a request"),
        pytest.param("/api/sales/who-served?at=now", 400, "is no moment", id="a time"),
        pytest.param("/api/sales/who-served?at=" + "9" * 999, 400, "no moment", id="a number"),
        pytest.param("/api/sales/lineage?batch=x", 404, "rests on a batch", id="a batch"),
        pytest.param("/api/sales/lineage", 422, "no question", id="no batch"),
        pytest.param("/api/sales/export?format=xml", 422, "no question", id="a format"),
        pytest.param("/api/sales/nothing", 404, "Not Found", id="a question"),
        pytest.param("/api/cabs/who-served", 200, '"turn":null', id="nothing served yet"),
    ],
)
def test_what_is_not_there_is_told_in_json(asked, path, status, words):
    answer = asked.get(path, accept="text/html")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert words in answer.text
