"""What the steps of a run enter in the ledger, so that `why` knows all of a version."""

from __future__ import annotations

import pytest

from pipelines.answers.lineage import resting_on
from pipelines.answers.origins import why
from pipelines.data.batches import read_plan
from pipelines.errors import BadData
from pipelines.messages import IngestRequest, ValidateRequest
from pipelines.refs import sha256
from pipelines.steps import ingest, validate
from tests.served import NOW
from tests.worlds import ROWS, World, as_of


def test_why_knows_all_of_a_version_that_the_loop_made(trained_once):
    ledger, store = trained_once.ports.ledger, trained_once.ports.store
    context = World(trained_once.home).context(trained_once.ports)
    origin = why(ledger, store, "sales", "1")
    assert origin.missing == {}
    assert (origin.training.code, origin.training.seed) == (context.code, context.spec.train.seed)
    assert origin.training.candidate == origin.verdicts[0].candidate
    suite = context.suites["events"].read_bytes()
    assert origin.expectations.suites == {"events": sha256(suite)}
    assert origin.expectations.rows == ROWS * len(origin.batches)
    plan = read_plan(store, origin.features.plan)
    assert [b.manifest for b in origin.batches] == [b.manifest.sha256 for b in plan.batches]
    for batch in origin.batches:
        assert resting_on(ledger, store, "sales", batch.manifest).versions == ["1"]


def test_a_step_that_runs_again_enters_nothing_again(world, ports):
    context = world.context(ports)
    for _ in range(2):
        request = IngestRequest(run="r", now=NOW, conf={"as_of": as_of(3)})
        ingested = ingest.run(context, request)
        validate.run(context, ValidateRequest(run="r", ingest=ingested))
    assert [e.kind for e in ports.ledger.entries()] == ["ingest", "validation"]


def test_all_broken_batches_of_a_run_are_entered_at_once(world, ports):
    context = world.context(ports)
    for day in (1, 2):
        world.rewrite(day, world.frame(day).iloc[:0])
    request = IngestRequest(run="r", now=NOW, conf={"as_of": as_of(3)})
    ingested = ingest.run(context, request)
    for _ in range(2):
        with pytest.raises(BadData, match="2 of the batches"):
            validate.run(context, ValidateRequest(run="r", ingest=ingested))
    entries = ports.ledger.entries("sales", "quarantine")
    assert [e.body["interval"]["start"][:10] for e in entries] == ["2024-01-02", "2024-01-03"]
