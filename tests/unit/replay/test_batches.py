"""Which batches a past is made of: from the store where it holds them, and none that is broken."""

from __future__ import annotations

import pytest

from pipelines.messages import IngestRequest
from pipelines.replay.batches import gather
from pipelines.replay.contenders import ALWAYS, NEVER
from pipelines.replay.replaying import Manner
from pipelines.replay.workroom import Workroom
from pipelines.steps import ingest
from tests.unit.replay.conftest import DAYS, NOW, day, live
from tests.worlds import as_of, make_world

BROKEN, GONE = 3, 5


@pytest.fixture
def world(tmp_path):
    world = make_world(tmp_path / "home", days=DAYS)
    world.respec("until: 2024-01-09", "until: 2024-01-10")
    world.respec("train: {window: 5 batches", "train: {window: 2 batches")
    world.respec(", search: {C: [0.1, 1.0]}", "")
    return world


def gathered(world, said):
    context = world.context()
    workroom = Workroom(context.spec, context.settings)
    workroom.prepare()
    return gather(workroom.open(), day(2), day(DAYS), said.append)


def test_a_broken_batch_and_one_that_is_not_there_are_said_and_passed_over(world):
    world.rewrite(BROKEN, world.frame(BROKEN).assign(pages=1_000))
    world.raw(GONE).unlink()
    said = []
    past = gathered(world, said)
    assert set(past.broken) == {"2024-01-04T00", "2024-01-06T00"}
    assert "between 0 and 100" in past.broken["2024-01-04T00"] or "pages" in str(past.broken)
    assert len(said) == 2
    assert all("passed over" in text for text in said)
    assert len(past.intervals) == DAYS - 2  # a gap is a batch without a score


def test_batches_of_the_store_are_read_and_nothing_is_written_there(world):
    context = world.context()
    conf = {"as_of": as_of(4), "reason": "first"}
    ingest.run(context, IngestRequest(run="first", now=NOW, conf=conf))
    store = world.settings.state / "store"
    before = {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file()}
    world.rewrite(1, world.frame(1).head(60))  # the source says something else by now
    past = gathered(world, [])
    assert {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file()} == before
    names = {p.name for p in before}
    assert past.batches["2024-01-02T00"].manifest.sha256 + ".json" in names
    assert past.batches["2024-01-09T00"].manifest.sha256 + ".json" not in names


@pytest.mark.slow
def test_a_past_with_a_gap_and_a_broken_batch_is_lived_through(world):
    world.rewrite(BROKEN, world.frame(BROKEN).assign(pages=1_000))
    world.raw(GONE).unlink()
    found = live(world, (NEVER, ALWAYS), span=(None, day(7)), manner=Manner(workers=2))
    outcome = found.outcome
    assert [each.batch for each in outcome.passed_over] == ["2024-01-04T00", "2024-01-06T00"]
    always = outcome.policies[1]
    scores = {batch.batch: batch.score for batch in always.batches}
    passed = [each.batch for each in outcome.passed_over]
    assert [name for name, score in scores.items() if score is None] == passed
    # Its newest batch is the one that judges: without it there is no challenger.
    failed = [batch.batch for batch in always.batches if batch.failed]
    assert failed == ["2024-01-05T00", "2024-01-07T00"]
    assert always.failures == 2
