"""The metric is estimated before labels are known, and later held against the truth."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from pipelines.estimates import ScoredEstimate
from pipelines.intervals import Interval
from pipelines.ledger import DriftCheck
from pipelines.step_record import XCOM_LIMIT
from pipelines.verdicts import words
from pipelines.watch.before_labels import switched_off
from pipelines.watch.estimate_record import read_record
from tests.served import interval
from tests.unit.steps.looks import DAY, auc, entries, figures
from tests.worlds import ROWS


def page(watched, found):
    return watched.ports.store.get(found.page).decode()


def scored(*truths, low=0.6, high=0.8):
    return [
        ScoredEstimate(
            window=interval(day), value=0.7, low=low, high=high, confidence=0.95, truth=t, rows=200
        )
        for day, t in enumerate(truths)
    ]


@pytest.fixture
def late(watched):
    """A world whose labels are known only when the next window has ended."""
    watched.world.respec("known_after: 1h", "known_after: 20h")
    return watched


def test_a_window_without_labels_has_an_estimate(late):
    late.serve(late.rows(DAY))
    found = late.look(DAY)
    estimate = found.estimate
    assert (estimate.method, estimate.metric, estimate.rows) == ("confidence", "roc_auc", ROWS)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.low < auc(late, late.rows(DAY)) < estimate.high
    assert estimate.scored == []
    said = page(late, found)
    assert "a changed concept it cannot see" in said
    assert "It decides nothing" in said
    assert "<svg class=" in said
    assert figures(late, found)["estimate"]["value"] == estimate.value
    assert any("before labels: roc_auc" in line.text for line in words.drift(found))


def test_the_next_window_scores_the_one_before(late):
    for day in (DAY, DAY + 1):
        late.serve(late.rows(day), segment=f"s{day}")
    first = late.look(DAY, "one").estimate
    second = late.look(DAY + 1, "two")
    (truth,) = second.estimate.scored
    assert truth.window == interval(DAY)
    assert (truth.low, truth.value, truth.high) == (first.low, first.value, first.high)
    assert truth.truth == pytest.approx(auc(late, late.rows(DAY)))
    assert truth.rows == ROWS
    assert "the window that ended on 2024-01-08 00:00" in page(late, second)
    again = late.look(DAY + 1, "three")
    assert again.estimate.scored == []
    assert f"it was {truth.truth:.4g} (inside)" in page(late, again)


def test_batches_that_nobody_asked_for_are_scored_too(late):
    late.look(DAY, "one")
    (truth,) = late.look(DAY + 1, "two").estimate.scored
    assert truth.truth == pytest.approx(auc(late, late.rows(DAY)))


def test_labels_that_are_known_at_once_score_at_once(watched):
    found = watched.look(DAY)
    (truth,) = found.estimate.scored
    assert (truth.window, truth.truth) == (interval(DAY), found.live)


def test_the_estimate_alarms_nobody(watched):
    quiet = watched.look(DAY)
    assert quiet.verdict == "no_drift"
    assert all("expected to be" not in reason for reason in quiet.reasons)


def test_after_two_misses_in_a_row_it_is_switched_off(late):
    late.look(DAY, "one")
    entry = entries(late)[-1].decision
    missed = entry.estimate.model_copy(
        update={"scored": scored(0.7, 0.3, 0.2), "value": None, "low": None, "high": None}
    )
    late.ports.ledger.append(
        "sales", "earlier", entry.model_copy(update={"run": "earlier", "estimate": missed})
    )
    found = late.look(DAY + 1, "two")
    assert found.estimate.value is None
    assert "outside 2 of 3 intervals" in found.estimate.switched_off
    assert "Switched off" in page(late, found)
    assert any("Switched off" in line.text for line in words.drift(found))


@pytest.mark.parametrize("ago", [0, 12])
def test_misses_of_earlier_champions_count_for_a_dozen_windows(late, ago):
    late.look(DAY, "one")
    entry = entries(late)[-1].decision
    back = ago * timedelta(days=1)
    old = [
        each.model_copy(
            update={"window": Interval(start=each.window.start - back, end=each.window.end - back)}
        )
        for each in scored(0.3, 0.2)
    ]
    other = entry.estimate.model_copy(update={"scored": old})
    changed = {"run": "earlier", "estimate": other, "champion": "0" * 12}
    late.ports.ledger.append("sales", "earlier", entry.model_copy(update=changed))
    found = late.look(DAY + 1, "two")
    assert bool(found.estimate.switched_off) == (ago == 0)


def test_what_another_champion_was_expected_to_reach_is_no_record_of_this_one(late):
    late.look(DAY, "one")
    entry = entries(late)[-1].decision
    (mine,) = scored(0.7)
    theirs = mine.model_copy(update={"window": entry.window, "value": 0.123})
    other = entry.estimate.model_copy(update={"scored": [theirs]})
    changed = {"run": "earlier", "estimate": other, "champion": "0" * 12}
    late.ports.ledger.append("sales", "earlier", entry.model_copy(update=changed))
    after = Interval(start=entry.window.end, end=entry.window.end + timedelta(days=1))
    record = read_record(late.ports.ledger, "sales", entry.champion, after)
    assert [each.window for each in record.waiting] == [entry.window]
    assert (record.scored, record.others) == ([], [theirs])


def test_what_is_switched_off_says_when_and_how_often():
    assert switched_off(scored(0.7, 0.9, 0.7)) == ""
    why = switched_off(scored(0.7, 0.9, 0.95, 0.7))
    assert "outside 2 of 3 intervals, last in the window that ended on 2024-01-04 (0.95" in why


def test_the_entry_holds_it_and_earlier_entries_do_without(late):
    late.look(DAY)
    check = entries(late)[-1].decision
    body = check.model_dump(mode="json")
    assert body["estimate"]["method"] == "confidence"
    assert DriftCheck.model_validate({**body, "estimate": None}).estimate is None
    del body["estimate"]
    assert DriftCheck.model_validate(body).estimate is None


def test_a_result_with_three_scores_fits_into_its_limit(late):
    found = late.look(DAY)
    full = found.estimate.model_copy(
        update={"scored": scored(0.1, 0.2, 0.3), "switched_off": "s" * 300}
    )
    full = found.model_copy(
        update={"estimate": full, "reasons": ["r" * 2_000], "drifted": ["d" * 1_500]}
    )
    assert len(json.dumps(full.model_dump(mode="json"))) < XCOM_LIMIT - 2_000
