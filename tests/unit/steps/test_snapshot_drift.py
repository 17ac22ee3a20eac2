"""A watched model without time: its traffic is looked at, and a retraining takes the newest."""

from __future__ import annotations

from pipelines.intervals import SNAPSHOT, iso
from pipelines.ledger import DriftCheck, RetrainRequest
from pipelines.messages import DecideRequest, DriftRequest, ValidateRequest
from pipelines.steps import decide, drift, validate
from pipelines.trigger_conf import RetrainConf
from tests.snapshots import loans, make_snapshot
from tests.unit.steps.verdicts import drifted


def test_a_look_reads_the_source_whole_and_the_window_is_of_traffic(tmp_path, ports):
    world = make_snapshot(tmp_path, ports, 300)
    world.crown(loans(300))
    ingested = world.ingest("drift", window_end="2025-12-31T00:00:00Z")
    assert ingested.window is not None
    assert (iso(ingested.window.start), iso(ingested.window.end)) == (
        "2025-12-29T00:00:00Z",
        "2025-12-31T00:00:00Z",
    )
    plan = world.plan(ingested)
    assert ([b.interval for b in plan.holdout], plan.train) == ([SNAPSHOT], [])
    judged = validate.run(world.context, ValidateRequest(run="r1", ingest=ingested))
    request = DriftRequest(run="r1", ingest=ingested, validate=judged)
    result = drift.run(world.context, request)
    assert (result.verdict, result.source, result.rows) == ("not_enough_data", "traffic", 0)
    assert result.champion == "1"


def test_a_retraining_that_drift_asks_for_takes_the_newest_snapshot(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    result = drifted(3)
    ports.ledger.append("loans", "w", DriftCheck(**result.model_dump(), run="w"))
    decision = decide.run(world.context, DecideRequest(run="w", drift=result))
    assert decision.start
    assert set(decision.conf) == {"reason"}
    assert RetrainConf.model_validate(decision.conf).as_of is None
    (entry,) = ports.ledger.entries("loans", "retrain_request")
    assert entry.read(RetrainRequest).conf.as_of is None
