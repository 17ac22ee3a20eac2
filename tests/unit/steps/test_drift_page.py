"""Evidently's page of a look: kept once and packed, led to from MLflow, made again when it went."""

from __future__ import annotations

import re

import pytest

from pipelines.errors import BadData, RequestError
from pipelines.ledger import Crown, DriftCheck, PageRemoval
from pipelines.ops.traces.search import in_store
from pipelines.ops.traces.sought import Sought
from pipelines.registry.port import DESCRIPTION
from pipelines.store.page_parts import PAGE, PROGRAM
from pipelines.store.pages import find_page
from pipelines.watch.page_again import make_page_again
from tests.decisions import drift_check
from tests.unit.steps.looks import DAY, crown_copy, entries

RUN = "scheduled__2024-01-08T00:00:00+00:00"
MOST = 30_000
"""Bytes of a packed page of five columns; it has 3.9 MB when it is shown."""


@pytest.fixture
def watched(watched):
    return watched.with_evidently


@pytest.fixture
def looked(watched):
    watched.look(DAY, RUN)
    return watched


def page_of(watched, run=RUN):
    return find_page(watched.ports.store, model="sales", kind="evidently", run=run)


def objects(watched, ending):
    found = watched.ports.store.contents("objects")
    return {item.name: item.size for item in found if item.name.endswith(ending)}


def remove(watched, run=RUN):
    """Take the page away as `prune` does."""
    store, check = watched.ports.store, entries(watched)[-1].read(DriftCheck)
    watched.ports.ledger.append("sales", f"gone {run}", PageRemoval(runs=[run], days=90))
    store.remove("objects", check.evidently.uri)
    for key in store.keys(f"pages/sales/evidently/{RUN}"):
        store.remove("entries", key)


def test_a_look_keeps_a_small_page_and_all_looks_keep_what_draws_it_once(looked):
    programs = objects(looked, PROGRAM)
    assert len(programs) == 2, "the script and the font"
    assert sum(programs.values()) > 700_000
    looked.look(DAY - 1, "another")
    assert objects(looked, PROGRAM) == programs
    pages = objects(looked, PAGE)
    assert len(pages) == 2
    assert max(pages.values()) < MOST
    shown = page_of(looked)
    assert len(shown) > 3_000_000
    assert shown != page_of(looked, "another")
    for words in (b"window.drawDashboard(", b"Column by column", b"is the verdict on this window"):
        assert words in shown
    assert b'href="../drift/scheduled__2024-01-08T00%3A00%3A00%2B00%3A00"' in shown
    assert re.search(rb"url\(data:font/ttf;base64,[A-Za-z0-9+/=]{100000,}\)", shown)


def test_mlflow_keeps_no_copy_and_its_run_leads_to_the_pages(looked):
    [run] = looked.ports.registry.runs.values()
    assert not [name for name in run.artifacts if "evidently" in name]
    assert sum(map(len, run.artifacts.values())) < 100_000
    base = "http://127.0.0.1:8080/perennial/pages/sales"
    quoted = "scheduled__2024-01-08T00%3A00%3A00%2B00%3A00"
    assert run.tags[DESCRIPTION] == (
        f"Pages in Airflow: [The page of this check]({base}/drift/{quoted}),"
        f" [Evidently's page]({base}/evidently/{quoted})."
    )


def test_where_no_page_is_wanted_the_verdict_is_the_same(looked, trained_once, tmp_path):
    other = trained_once.copied(tmp_path / "other")
    other.look(DAY, RUN)
    assert page_of(other) is None
    shown, bare = (entries(each)[-1].read(DriftCheck) for each in (looked, other))
    told = {"verdict", "reasons", "drifted", "live", "expected"}
    assert shown.model_dump(include=told) == bare.model_dump(include=told)


def test_a_look_without_a_page_leads_to_none(watched):
    crown_copy(watched, "2", pages=None, minutes=None, channel=None, trend=None)
    found = watched.look(DAY, RUN)
    [run] = watched.ports.registry.runs.values()
    assert entries(watched)[-1].read(DriftCheck).evidently is None, found.reasons
    assert "evidently" not in run.tags[DESCRIPTION]


def test_whoever_looks_for_a_person_looks_into_the_packed_page(looked):
    [uri] = objects(looked, PAGE)
    store = looked.ports.store
    for words, there in (("is the verdict on this window", True), ("nobody-ever-said-so", False)):
        found = {t.name: is_there for t, is_there in in_store(store, [Sought(frozenset({words}))])}
        assert found[uri] == there
        assert not objects(looked, PROGRAM).keys() & found.keys(), "a program holds no rows"


def test_a_cleared_run_leaves_a_page_away_that_was_removed(looked):
    remove(looked)
    looked.look(DAY, RUN)
    assert len(entries(looked)) == 1
    assert page_of(looked) is None


def test_a_run_that_looks_again_after_that_has_its_page(looked):
    remove(looked)
    crown_copy(looked, "2")
    looked.look(DAY, RUN)
    assert len(entries(looked)) == 2
    assert page_of(looked)


@pytest.mark.parametrize("served", [True, False])
def test_a_page_is_made_again_as_it_was_and_nothing_is_entered(watched, served):
    if served:
        watched.serve(watched.rows(DAY))
    watched.look(DAY, RUN)
    before = page_of(watched)
    remove(watched)
    assert page_of(watched) is None
    crown_copy(watched, "2", channel=None)
    count = len(watched.ports.ledger.entries())
    page = make_page_again(watched.context, RUN)
    assert page_of(watched) == before
    assert page == entries(watched)[-1].read(DriftCheck).evidently
    assert len(watched.ports.ledger.entries()) == count
    assert make_page_again(watched.context, RUN) == page


def test_a_page_that_was_not_wanted_then_can_be_made_and_the_page_of_the_check_says_so(
    looked, trained_once, tmp_path
):
    other = trained_once.copied(tmp_path / "other")
    other.look(DAY, RUN)
    assert page_of(other) is None
    check = find_page(other.ports.store, model="sales", kind="drift", run=RUN)
    assert b"was not made, because PERENNIAL_EVIDENTLY was off" in check
    assert f"perennial drift sales --page-of {RUN}".encode() in check
    count = len(other.ports.ledger.entries())
    make_page_again(other.context, RUN)
    assert page_of(other) == page_of(looked)
    assert len(other.ports.ledger.entries()) == count


def test_what_cannot_be_made_again_is_said(watched):
    ledger = watched.ports.ledger
    with pytest.raises(RequestError, match="no look of sales of the run 'nothing'"):
        make_page_again(watched.context, "nothing")
    ledger.append("sales", "empty", drift_check(run="empty", champion=None))
    with pytest.raises(RequestError, match="had no page of Evidently's"):
        make_page_again(watched.context, "empty")
    watched.look(DAY, RUN)
    check = entries(watched)[-1].read(DriftCheck)
    ledger.append("sales", "old", check.model_copy(update={"run": "old"}))
    with pytest.raises(BadData, match="does not say which batches the look old stood on"):
        make_page_again(watched.context, "old")
    remove(watched)
    watched.serve(watched.rows(DAY))
    with pytest.raises(BadData, match="was at batches, and a look at its window is at traffic"):
        make_page_again(watched.context, RUN)


def test_a_window_that_cannot_be_compared_any_more_says_why(looked):
    remove(looked)
    [now] = looked.ports.ledger.entries("sales", "champion")
    looked.ports.store.remove("objects", now.read(Crown).bundle.uri)
    with pytest.raises(BadData, match=r"cannot be made: the look at the window failed"):
        make_page_again(looked.context, RUN)
    assert page_of(looked) is None
