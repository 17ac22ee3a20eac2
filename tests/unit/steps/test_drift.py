"""`drift`: a window of a real champion, from the log or from batches, to a verdict that is written
down once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.ledger import DriftCheck
from pipelines.messages import DecideRequest
from pipelines.ports import ConfiguredPorts
from pipelines.refs import canonical
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import decide, drift
from pipelines.store.drift_figures import newest_figures
from pipelines.store.pages import find_page
from pipelines.watch.short_texts import fit_within, shorten
from tests import version_0
from tests.decisions import crown
from tests.served import trained
from tests.unit.steps.looks import DAY, auc, champion, early, entries
from tests.worlds import ROWS, make_world, visits


def test_a_window_of_traffic_that_is_as_it_was(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    found = watched.look(DAY)
    assert found.verdict == "no_drift", found.reasons
    assert (found.source, found.rows, found.champion, found.columns, found.drifted) == (
        "traffic",
        ROWS,
        "1",
        4,
        [],
    )
    assert found.labelled == early(rows).num_rows
    assert found.live == pytest.approx(auc(watched, early(rows)))
    assert found.expected == pytest.approx(champion(watched).manifest.metrics["roc_auc"])


def test_what_is_found_stands_in_the_ledger_on_pages_in_the_registry_and_for_prometheus(watched):
    watched = watched.with_evidently
    watched.serve(watched.rows(DAY))
    found = watched.look(DAY, "scheduled__2024-01-08T00:00:00+00:00")
    run = watched.ports.registry.runs[found.run_id]
    assert (run.state, run.tags["verdict"], run.tags["window"]) == (
        "FINISHED",
        "no_drift",
        "2024-01-07T00:00:00Z to 2024-01-08T00:00:00Z",
    )
    assert run.metrics["live"] == found.live
    assert {
        "expected",
        "coverage",
        "drifted_share",
        "drift.pages",
        "drift.minutes",
        "drift.channel",
        "drift.trend",
    } < set(run.metrics)
    assert set(run.artifacts) == {"drift/drift.html", "drift/figures.json"}
    assert run.tags["perennial.kind"] == "drift"
    page = find_page(
        watched.ports.store, model="sales", kind="drift", run="scheduled__2024-01-08T00:00:00+00:00"
    )
    assert page == watched.ports.store.get(found.page)
    assert b'href="../evidently/scheduled__2024-01-08T00%3A00%3A00%2B00%3A00"' in page
    assert find_page(
        watched.ports.store,
        model="sales",
        kind="evidently",
        run="scheduled__2024-01-08T00:00:00+00:00",
    )
    [entry] = entries(watched)
    assert entry.read(DriftCheck).verdict == "no_drift"
    assert set(entry.body) - {"cause", "effect", "estimate"} in version_0.fields("drift")
    shown = newest_figures(watched.ports.store, "sales")
    assert (shown.verdict, shown.rows, shown.labelled, shown.live, shown.columns) == (
        "no_drift",
        ROWS,
        found.labelled,
        found.live,
        4,
    )
    assert shown.coverage == pytest.approx(found.labelled / ROWS)


def test_a_model_that_nobody_asks_is_watched_by_its_batches(watched):
    found = watched.look(DAY)
    assert (found.verdict, found.source, found.rows) == ("no_drift", "batches", ROWS), found.reasons
    rows = watched.rows(DAY)
    assert (found.labelled, found.live) == (
        early(rows).num_rows,
        pytest.approx(auc(watched, early(rows))),
    )


def test_a_world_that_turned_over_is_drift(watched):
    watched.world.rewrite(DAY, visits(DAY, signal=-1.0))
    found = watched.look(DAY)
    assert found.verdict == "drift"
    assert "roc_auc" in found.reasons[0]
    assert found.live < 0.5 < found.expected


def test_traffic_that_ended_is_not_replaced_by_batches(watched):
    watched.serve(watched.rows(DAY))
    found = watched.look(DAY + 1)
    assert (found.verdict, found.source, found.rows) == ("not_enough_data", "traffic", 0)
    assert "no rows" in found.reasons[0]
    assert found.live is None


def test_without_a_champion_there_is_no_verdict_and_no_run(watched):
    from pipelines.ledger import MemoryLedger

    nobody = replace(watched, ports=replace(watched.ports, ledger=MemoryLedger()))
    found = nobody.look(DAY)
    assert (found.verdict, found.champion, found.run_id) == ("not_enough_data", None, "")
    assert "no version of sales serves yet" in found.reasons[0]
    assert b"none serves yet" in find_page(
        watched.ports.store, model="sales", kind="drift", run="watch"
    )


def test_closed_segments_are_rotated_and_open_ones_read_as_they_are(watched):
    rows = watched.rows(DAY)
    watched.serve(rows.slice(0, 100))
    watched.serve(rows.slice(100), segment="open", close=False)
    found = watched.look(DAY)
    assert found.rows == ROWS
    assert len(watched.ports.store.keys("inference/sales/rotated")) == 1
    [left] = watched.ports.store.segments("inference/sales/predictions")
    assert left.endswith("-open")
    assert watched.look(DAY, "again").rows == ROWS


def test_hashed_keys_find_their_labels_and_personal_inputs_are_not_looked_at(tmp_path):
    world = make_world(tmp_path / "first")
    world.respec(
        "lookback: 1d}", "lookback: 1d, personal: {visit: hash, channel: hash, minutes: drop}}"
    )
    watched = trained(world, DAY).copied(tmp_path / "home")
    rows = watched.rows(DAY)
    watched.serve(rows)
    segments = b"".join(
        watched.ports.store.read_segment(s)
        for s in watched.ports.store.segments("inference/sales/predictions")
    )
    assert b"search" not in segments
    assert b"minutes" not in segments
    found = watched.look(DAY)
    assert found.verdict == "no_drift", found.reasons
    assert (found.columns, found.labelled) == (2, early(rows).num_rows)
    kept = b"".join(watched.ports.store.get(r) for r in (found.page, found.figures))
    assert b"channel" not in kept


def test_with_the_real_ports(trained_once, watched):
    """A folder, SQL and MLflow instead of memory.

    The same verdict, in the places where people look for it.
    """
    ports = ConfiguredPorts(watched.world.settings)
    for uri, data in trained_once.ports.store.objects.items():
        ports.store.put(data, Path(uri).suffix)
    ports.ledger.crown(
        "sales", expected=None, champion=crown("1", trained_once.bundle.bundle), key="first"
    )
    real = replace(watched, ports=ports)
    real.serve(real.rows(DAY), close=False)
    request = real.request(DAY)
    found = drift.run(real.context, request)
    assert (found.verdict, found.source, found.rows) == ("no_drift", "traffic", ROWS), found.reasons
    assert drift.run(real.context, request) == found
    assert ports.registry.state(found.run_id) == "FINISHED"
    assert ports.registry.metrics(found.run_id)["live"] == pytest.approx(found.live)
    assert [e.key for e in ports.ledger.entries("sales", "drift")] == ["watch"]
    assert newest_figures(ports.store, "sales").verdict == "no_drift"
    decided = decide.run(real.context, DecideRequest(run="watch", drift=found))
    assert not decided.start
    ports.ledger.verify()


def test_a_result_stays_small_whatever_was_found(watched):
    found = watched.look(DAY)
    loud = ["\x01" * 5_000, *(f"input_{i:0>50} is odd: {'é' * 300}" for i in range(200))]
    names = [f"{'x' * 60}{i}" for i in range(500)]
    big = found.model_copy(
        update={
            "reasons": shorten(loud, drift.REASONS),
            "drifted": fit_within(names, drift.NAMES),
        }
    )
    assert len(canonical(big)) < XCOM_LIMIT
    assert big.reasons[-1].endswith("more; the page shows all")
    assert shorten(["short", "words"], drift.REASONS) == ["short", "words"]
