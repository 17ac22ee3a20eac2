"""Evidently's page of a look that was removed: said as such, with what is left and a remedy."""

from __future__ import annotations

import html
import shlex
from urllib.parse import quote

import pytest

from pipelines.ledger import PageRemoval
from pipelines.store.page_parts import put_page
from pipelines.store.pages import publish_kept
from tests.dags.pages.visits import RUN
from tests.decisions import drift_check

# Airflow's own modules import FastAPI's test client, which would like another HTTP library
# (Starlette 1, FastAPI 0.13x).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using `httpx` with `starlette.testclient` is deprecated"
)

PROGRAM = b"draw();" * 1_000
HOSTILE = "<script>alert(1); touch x"


def publish(known, run=RUN):
    page = put_page(known.store, b"<html><body>" + PROGRAM, [PROGRAM])
    publish_kept(known.store, model="sales", kind="evidently", run=run, page=page)
    return page


def remove(known, run=RUN, days=90):
    for key in known.store.keys(f"pages/sales/evidently/{run}"):
        known.store.remove("entries", key)
    known.ledger.append("sales", f"gone {run}", PageRemoval(runs=["other", run], days=days))


def test_a_page_whose_program_is_kept_once_is_shown_whole(known):
    publish(known)
    answer = known.get(f"/pages/sales/evidently/{RUN}")
    assert answer.status_code == 200
    assert PROGRAM.decode() in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts;")


def test_a_removed_page_says_when_it_went_why_what_is_left_and_how_to_make_it_again(known):
    known.ledger.append("sales", RUN, drift_check(run=RUN, evidently=publish(known)))
    remove(known, days=30)
    answer = known.get(f"/pages/sales/evidently/{RUN}")
    assert answer.status_code == 410
    text = " ".join(answer.text.split())
    assert "This page was removed" in text
    assert "was removed on 2024-01-05 00:00 UTC: such pages are kept for 30 days" in text
    assert f'href="/perennial/pages/sales/drift/{quote(RUN, safe="")}"' in text
    assert f"perennial drift sales --page-of {RUN}" in text


def test_a_removal_that_was_killed_on_its_way_shows_the_same(known):
    page = publish(known)
    known.store.remove("objects", page.uri)
    assert known.get(f"/pages/sales/evidently/{RUN}").status_code == 500, "damaged, as far as known"
    known.ledger.append("sales", "gone", PageRemoval(runs=[RUN], days=90))
    assert known.get(f"/pages/sales/evidently/{RUN}").status_code == 410


def test_a_page_that_was_made_again_is_shown(known):
    publish(known)
    known.store.remove("entries", known.store.keys("pages/sales/evidently/" + RUN)[0])
    known.ledger.append("sales", "gone", PageRemoval(runs=[RUN], days=90))
    publish(known)
    assert known.get(f"/pages/sales/evidently/{RUN}").status_code == 200


def test_a_page_that_never_was_is_not_called_removed(known):
    remove(known)
    assert known.get("/pages/sales/evidently/never").status_code == 404
    assert known.get(f"/pages/sales/drift/{RUN}").status_code == 404


def test_a_page_that_a_look_did_not_make_says_why_that_may_be_and_how_to_make_it(known):
    known.ledger.append("sales", RUN, drift_check(run=RUN))
    answer = known.get(f"/pages/sales/evidently/{RUN}")
    assert answer.status_code == 404
    assert "PERENNIAL_EVIDENTLY was off" in answer.text
    assert f"perennial drift sales --page-of {shlex.quote(RUN)}" in html.unescape(answer.text)
    assert f"/pages/sales/drift/{quote(RUN, safe='')}" in answer.text


def test_the_name_of_a_run_is_no_command_and_no_markup(known):
    known.ledger.append("sales", "gone", PageRemoval(runs=[HOSTILE], days=90))
    answer = known.get(f"/pages/sales/evidently/{quote(HOSTILE, safe='')}")
    assert answer.status_code == 410
    assert "<script" not in answer.text
    assert (
        html.escape(f"--page-of {shlex.quote(HOSTILE)}").replace("&#x27;", "&#39;") in answer.text
    )


def test_whoever_may_not_read_the_model_learns_nothing(known):
    remove(known)
    known.log_in("cabs")
    answer = known.get(f"/pages/sales/evidently/{RUN}")
    assert answer.status_code == 403
    assert "removed" not in answer.text


def test_the_history_says_that_pages_went(known):
    remove(known)
    text = " ".join(known.get("/models/sales").text.split())
    assert "Evidently&#39;s pages of 2 looks removed, which were older than 90 days" in text
