"""Where the outcomes of a window come from, and which of them count."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.inference_log.rotated_entries import entries_of
from tests.unit.steps.looks import DAY, auc, early, figures
from tests.worlds import ROWS


def test_labels_come_from_the_source_only_when_they_are_known(watched):
    watched.world.respec("known_after: 1h", "known_after: 20h")
    rows = watched.rows(DAY)
    watched.serve(rows)
    assert watched.look(DAY).labelled == sum(at.hour < 4 for at in rows["at"].to_pylist()) < 100


def test_feedback_counts_before_the_source_and_contradictions_are_counted(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    watched.tell(rows, [float(not b) for b in rows["bought"].to_pylist()])
    found = watched.look(DAY)
    known = early(rows)
    assert figures(watched, found)["counts"]["contradicting"] == known.num_rows
    assert found.live == pytest.approx(1 - auc(watched, known))
    assert "contradict" in watched.ports.store.get(found.page).decode()


def test_traffic_that_was_asked_twice_counts_once(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    watched.serve(rows, segment="two", after=timedelta(minutes=1))
    found = watched.look(DAY)
    counts = figures(watched, found)["counts"]
    assert (found.rows, counts["predicted"], counts["duplicates"]) == (ROWS, 2 * ROWS, ROWS)
    assert found.labelled == early(rows).num_rows
    assert found.live == pytest.approx(auc(watched, early(rows)))


def test_who_asks_again_after_the_outcome_is_known_changes_nothing(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    watched.tell(rows, [float(b) for b in rows["bought"].to_pylist()])
    watched.serve(rows.slice(0, 50), segment="two", after=timedelta(hours=2))
    found = watched.look(DAY)
    counts = figures(watched, found)["counts"]
    assert (counts["after_label"], found.rows, found.labelled) == (50, ROWS, early(rows).num_rows)


def test_where_outcomes_come_after_the_window_it_is_said(watched):
    watched.world.respec("known_after: 1h", "known_after: 1d")
    found = watched.look(DAY)
    assert found.labelled == 0
    assert (
        "outcomes are known 1d after the event, later than this window of 1d: performance cannot be"
        " judged" in "; ".join(found.reasons)
    )


def test_rows_without_keys_have_no_labels_of_the_source(watched):
    watched.serve(watched.rows(DAY), keys=False)
    assert watched.look(DAY).labelled == 0


def test_labels_that_are_told_weeks_later_count_and_those_before_are_not_read_again(watched):
    rows, store = watched.rows(DAY), watched.ports.store
    others = [float(not b) for b in rows["bought"].to_pylist()]
    watched.serve(rows)
    watched.tell(rows.slice(0, 50), others[:50], segment="soon")
    soon = figures(watched, watched.look(DAY))["counts"]
    watched.look(DAY, run="second")  # which makes the index
    objects = [entry.data.uri for entry in entries_of(store, "sales", "labels").entries.values()]
    assert [store.remove("objects", uri) for uri in objects] == [True]
    watched.tell(rows.slice(50), others[50:], segment="late", after=timedelta(days=60))
    late = figures(watched, watched.look(DAY, run="later"))["counts"]
    assert soon["contradicting"] == early(rows.slice(0, 50)).num_rows
    assert (late["contradicting"], late["damaged"]) == (early(rows).num_rows, 0)
