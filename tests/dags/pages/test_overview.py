"""The overview of a fleet: found by words, owner, tag and state, 50 on a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from pipelines.incidents import note_check
from pipelines.ledger import Turn
from tests.dags.pages.visits import World
from tests.dags.specs import spec_text, write_models
from tests.decisions import crown, drift_check

# Airflow's own modules import FastAPI's test client, which would like another HTTP library
# (Starlette 1, FastAPI 0.13x).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using `httpx` with `starlette.testclient` is deprecated"
)

NAMES = [f"model_{number:03}" for number in range(120)]


@pytest.fixture
def fleet(tmp_path):
    home = write_models(tmp_path, *NAMES)
    (home / "models" / NAMES[7] / "model.yaml").write_text(
        spec_text(NAMES[7]).replace("tests-team", "rail & road") + "tags: [night]\n"
    )
    world = World(home)
    world.log_in(*NAMES[:-1])
    return world


def cards(text: str) -> list[str]:
    return re.findall(r'<h2><a href="[^"]*/models/(\w+)">', text)


def test_fifty_are_on_a_page_and_the_rest_on_the_next_ones(fleet):
    first = fleet.get("/").text
    assert cards(first) == NAMES[:50]
    assert "119 models" in first, "not the one that the user may not read"
    assert "1 to 50 of 119" in first
    assert cards(fleet.get("/?page=3").text) == NAMES[100:119]
    assert "page=4" not in fleet.get("/?page=3").text
    assert "No model is like that" in fleet.get("/?page=9").text


def test_models_are_found_and_the_form_remembers_what_was_asked(fleet):
    for asked in ("q=NIGHT", "owner=rail+%26+road", "tag=night", "q=model_007"):
        assert cards(fleet.get(f"/?{asked}").text) == [NAMES[7]], asked
    text = fleet.get("/?owner=rail+%26+road&sort=model").text
    assert '<option value="rail &amp; road" selected>' in text
    assert "#night" in text
    assert cards(fleet.get("/?q=nothing+such").text) == []


def test_the_worst_come_first_with_why(fleet):
    fleet.ledger.crown(NAMES[60], expected=None, champion=crown("1"), key="first")
    entry = fleet.ledger.append(NAMES[60], "check", drift_check(verdict="alarm"))
    note_check(fleet.ledger, NAMES[60], entry)
    (fleet.home / "models" / NAMES[90] / "model.yaml").write_text("name: x\n")
    text = fleet.get("/").text
    assert cards(text)[:2] == [NAMES[90], NAMES[60]]
    assert "1 red" in text
    assert "the data are broken" in text
    assert cards(fleet.get("/?state=red").text) == [NAMES[60]]
    assert cards(fleet.get("/?sort=model").text) == NAMES[:50]


def test_a_folder_that_was_mended_is_read_again(fleet):
    broken = fleet.home / "models" / NAMES[0] / "model.yaml"
    good = broken.read_text()
    broken.write_text("name: x\n")
    assert "1 broken" in fleet.get("/").text
    broken.write_text(good)
    assert "1 broken" not in fleet.get("/").text


def test_a_slow_folder_is_named_with_its_seconds(fleet, monkeypatch):
    monkeypatch.setattr("perennial_airflow.pages.overview.SLOW_SECONDS", 0.0)
    assert "models/model_000: it takes 0." in fleet.get("/").text


@pytest.mark.parametrize("asked", ["sort=price", "page=0", "page=x", f"q={'x' * 201}"])
def test_nonsense_is_refused(fleet, asked):
    assert fleet.get(f"/?{asked}").status_code == 422


def test_what_is_asked_is_shown_as_text(fleet):
    text = fleet.get("/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script" not in text


def test_programs_get_the_same_as_json(fleet):
    found = json.loads(fleet.get("/api/fleet?tag=night").text)
    assert [(m["model"], m["owner"], m["state"]) for m in found] == [
        (NAMES[7], "rail & road", "new")
    ]
    assert len(json.loads(fleet.get("/api/fleet").text)) == 119
    refused = fleet.get("/api/fleet?sort=price")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/json")


def test_who_waits_for_a_retraining_is_told_so(tmp_path):
    world = World(write_models(tmp_path, *NAMES[:3]))
    settings = world.records.settings.replace(retrainings_at_once=1)
    world.records = replace(world.records, settings=settings)
    world.log_in(*NAMES[1:3])
    for name in NAMES[:3]:
        world.ledger.append(name, "r:1:waits", Turn(run="r", event="waits", owner="tests-team"))
    world.ledger.append(NAMES[0], "r:1:begins", Turn(run="r", event="begins", owner="tests-team"))
    text = world.get("/").text
    assert "2nd in line, 1 of 1 retrainings are under way" in text
    assert NAMES[0] not in text
    [_, last] = json.loads(world.get("/api/fleet").text)
    assert (last["turn"], last["place_in_line"]) == ("waits", 2)
