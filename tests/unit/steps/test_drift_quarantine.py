"""A batch in which a broken pipe is seen for sure is learnt from by no retraining, until a person
lets it in or its source is mended.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.data.batches import read_plan
from pipelines.errors import BadData, RequestError
from pipelines.incidents import open_incidents
from pipelines.incidents.held_batches import admit_batch, held_batches
from pipelines.ledger import DriftCheck, Ingest, Quarantine
from pipelines.messages import (
    DecideRequest,
    DriftResult,
    FeaturesRequest,
    IngestRequest,
    ValidateRequest,
)
from pipelines.steps import decide, features, ingest, validate
from tests.served import NOW
from tests.unit.steps.looks import DAY, entries
from tests.worlds import as_of

BATCH = "2024-01-07T00"


def break_units(watched, day=DAY, factor=1000.0):
    frame = watched.world.frame(day)
    watched.world.rewrite(day, frame.assign(minutes=frame.minutes * factor))


@pytest.fixture
def broken(watched):
    """A world in which a check of the last day but one has seen milliseconds."""
    break_units(watched)
    found = watched.look(DAY)
    assert (found.verdict, found.source) == ("alarm", "batches")
    return watched


def scheduled(watched, run="monday", **conf):
    """What a retraining by schedule reads."""
    return ingest.run(watched.context, IngestRequest(run=run, now=NOW, conf=conf))


def learnt(watched, result):
    plan = read_plan(watched.ports.store, result.plan)
    return [batch.interval.name for batch in [*plan.train, *plan.holdout]]


def test_an_alarm_that_is_sure_holds_its_batch_and_says_so(broken):
    [entry] = broken.ports.ledger.entries("sales", "quarantine")
    held = entry.read(Quarantine)
    assert held.interval.name == BATCH
    assert held.reasons[0] == "A pipe is broken upstream: values in another unit"
    [check] = [e.read(DriftCheck) for e in entries(broken)]
    assert held.page == check.page
    assert f"no retraining learns from 1 batch, {BATCH}" in check.reasons[-1]
    request = DecideRequest(run="watch", drift=check.part(DriftResult))
    assert not decide.run(broken.context, request).start
    [incident] = open_incidents(broken.ports.ledger, "sales", entry.at)
    assert incident.what == "alarm"


def test_a_scheduled_training_leaves_the_batch_out_and_names_it(broken):
    result = scheduled(broken)
    assert BATCH not in learnt(broken, result)
    assert len(learnt(broken, result)) == 5
    assert result.left_out == [f"{BATCH} (A pipe is broken upstream: values in another unit)"]
    [entry] = [e.read(Ingest) for e in broken.ports.ledger.entries("sales", "ingest")][-1:]
    assert "left out, held in quarantine: 2024-01-07T00 (A pipe is broken" in entry.words
    validated = validate.run(broken.context, ValidateRequest(run="monday", ingest=result))
    request = FeaturesRequest(run="monday", ingest=result, validate=validated)
    built = features.run(broken.context, request)
    assert BATCH not in broken.ports.versions.files("sales", built.version.revision)
    assert read_plan(broken.ports.store, built.plan).left_out[BATCH].startswith("A pipe is broken")


def test_a_person_lets_it_in_and_the_same_sign_does_not_hold_it_again(broken):
    ledger = broken.ports.ledger
    with pytest.raises(RequestError, match="needs a person"):
        admit_batch(ledger, "sales", BATCH, by="", reason="it was so")
    with pytest.raises(RequestError, match="is not held"):
        admit_batch(ledger, "sales", "2024-01-06T00", by="ann", reason="it was so")
    admit_batch(ledger, "sales", BATCH, by="ann", reason="the shop counts in milliseconds now")
    result = scheduled(broken)
    assert BATCH in learnt(broken, result)
    assert result.left_out == []
    again = broken.look(DAY, run="again")
    assert again.verdict == "alarm"
    assert not any("learns from" in reason for reason in again.reasons)
    assert held_batches(ledger, "sales") == {}


def test_late_rows_mend_nothing_and_a_mended_source_does(broken):
    ledger, world = broken.ports.ledger, broken.world
    whole = world.frame(DAY)
    world.rewrite(DAY, whole.iloc[:-1])  # another version of the batch, as broken as the first
    assert BATCH not in learnt(broken, scheduled(broken))
    broken.look(DAY, run="again")
    assert list(held_batches(ledger, "sales")) == [BATCH]
    world.rewrite(DAY, whole.assign(minutes=whole.minutes / 1000))
    assert BATCH not in learnt(broken, scheduled(broken, run="tuesday"))
    assert broken.look(DAY, run="mended").verdict != "alarm"
    [admission] = ledger.entries("sales", "admission")
    assert admission.body["by"] == ""
    assert "shows no broken pipe" in admission.body["reason"]
    assert BATCH in learnt(broken, scheduled(broken, run="wednesday"))
    break_units(broken)
    broken.look(DAY, run="broken again")
    assert list(held_batches(ledger, "sales")) == [BATCH]


def test_a_retraining_with_nothing_else_to_judge_on_says_how_to_go_on(broken):
    with pytest.raises(BadData, match=f"No batch is left to judge on.*{BATCH}") as error:
        scheduled(broken, as_of=as_of(DAY + 1))
    assert "perennial quarantine sales" in error.value.remedy


def test_of_a_broken_traffic_the_batches_stay_that_are_sound(watched):
    rows = watched.rows(DAY)
    place = rows.column_names.index("minutes")
    broken = pc.multiply(rows["minutes"].cast(pa.float64()), 1000.0)
    watched.serve(rows.set_column(place, "minutes", broken))
    found = watched.look(DAY)
    assert (found.verdict, found.source) == ("alarm", "traffic")
    assert held_batches(watched.ports.ledger, "sales") == {}


def test_of_a_window_of_batches_those_are_held_that_show_it(watched):
    watched.world.respec("  schedule: weekly\n", "  schedule: weekly\n  window: 3 batches\n")
    break_units(watched, DAY)
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert list(held_batches(watched.ports.ledger, "sales")) == [BATCH]


def test_a_kill_between_the_quarantine_and_the_verdict_makes_neither_twice(broken):
    ports = broken.ports
    others = [e for e in ports.ledger.entries() if e.kind != "drift"]
    ledger = type(ports.ledger)()
    for entry in others:
        ledger.append(entry.model, entry.key, entry.decision)
    killed = replace(broken, ports=replace(ports, ledger=ledger))
    assert killed.look(DAY).verdict == "alarm"
    assert len(ledger.entries("sales", "quarantine")) == 1
    assert len(ledger.entries("sales", "drift")) == 1
