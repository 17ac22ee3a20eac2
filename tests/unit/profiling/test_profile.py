"""The profile of a model: from its batches in the store, its features and its quarantine."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipelines.data.batches import newest_batches
from pipelines.errors import BadData
from pipelines.messages import FeaturesRequest, IngestRequest, ValidateRequest
from pipelines.profiling.profile import profile_model
from pipelines.profiling.publish import publish_profile, publish_run_profile
from pipelines.steps import features, ingest, validate
from pipelines.store.pages import NEWEST, find_page, has_page
from tests.snapshots import loans, make_snapshot
from tests.worlds import ROWS, as_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def context(world, ports):
    return world.context(ports)


def ingested(context, day=5):
    return ingest.run(context, IngestRequest(run="r", now=NOW, conf={"as_of": as_of(day)}))


def batches(context, most=6):
    found = newest_batches(context.ports.store, context.spec, NOW, most)
    return list(found)[::-1]


def test_the_newest_batches_are_looked_at_and_no_older_ones(context):
    ingested(context)
    found = profile_model(context, batches(context, 3))
    assert [(b.name, b.rows, b.state) for b in found.batches] == [
        (f"2024-01-0{day}T00", ROWS, "accepted") for day in (3, 4, 5)
    ]
    [raw] = found.tables
    assert raw.title == "Raw rows"
    assert raw.target == "bought"
    assert json.dumps(found.figures(), allow_nan=False)


def test_features_are_looked_at_where_there_are_some(context):
    plan = ingested(context)
    validated = validate.run(context, ValidateRequest(run="r", ingest=plan))
    request = FeaturesRequest(run="r", ingest=plan, validate=validated)
    version = features.run(context, request).version
    found = profile_model(context, batches(context))
    assert found == profile_model(context, batches(context), version)
    raw, built = found.tables
    assert {c.name for c in built.columns if c.role == "input"} == {
        "pages", "minutes", "channel", "trend"
    }  # fmt: skip
    assert built.reference == raw.reference == "the batches 2024-01-01T00 to 2024-01-02T00"


def test_the_step_leaves_a_page_of_its_run_and_the_newest_one(context):
    plan = ingested(context)
    validated = validate.run(context, ValidateRequest(run="r", ingest=plan))
    features.run(context, FeaturesRequest(run="r", ingest=plan, validate=validated))
    store = context.ports.store
    page = find_page(store, model="sales", kind="profile", run="r")
    assert page is not None
    assert b"Profile of sales" in page
    assert page == find_page(store, model="sales", kind="profile", run=NEWEST)


def test_a_profile_that_cannot_be_made_ends_no_run(context, caplog):
    publish_run_profile(context, [], context.ports.versions, "r")
    assert "the profile of this run could not be made" in caplog.text
    assert not has_page(context.ports.store, model="sales", kind="profile", run="r")


def test_quarantined_rows_are_shown_without_what_is_personal(world, context):
    frame = world.frame(4)
    frame.loc[:6, "pages"] = 900
    frame["email"] = "ann@example.org"
    frame["contact"] = "bob@example.org"
    world.rewrite(4, frame)
    plan = ingested(context)
    with pytest.raises(BadData):
        validate.run(context, ValidateRequest(run="r", ingest=plan))
    found = profile_model(context, batches(context))
    assert [b.state for b in found.batches][-1] == "quarantined"
    [bad] = found.quarantined
    assert (bad.batch, bad.count, len(bad.rows)) == ("2024-01-05T00", 7, 5)
    assert "900" in bad.rows[0]
    page = context.ports.store.get(publish_profile(context, found)).decode()
    assert "be between" in page
    assert "example.org" not in page
    assert "example.org" not in json.dumps(found.figures())


def test_a_batch_that_could_not_be_read_is_passed_over(world, context):
    world.raw(2).write_bytes(b"\x00\xff not a table")
    ingested(context)
    assert len(profile_model(context, batches(context)).batches) == 4


def test_a_store_without_batches_is_named(context):
    with pytest.raises(BadData, match="holds no batch of sales") as caught:
        profile_model(context, [])
    assert "perennial drift sales" in caught.value.remedy


def test_snapshots_are_looked_at_beside_earlier_ones(tmp_path, ports):
    world = make_snapshot(tmp_path, ports, 300)
    world.build_from_source()
    world.later("r2")
    world.write(loans(400))
    world.build_from_source()
    context = world.context
    page = find_page(ports.store, model="loans", kind="profile", run="r2").decode()
    found = profile_model(context, list(newest_batches(ports.store, context.spec, NOW, 5))[::-1])
    assert [(b.name, b.rows) for b in found.batches] == [("snapshot 1", 300), ("snapshot 2", 400)]
    raw, built = found.tables
    assert (raw.reference, built.batches) == ("the batch snapshot 1", ["snapshot 2"])
    assert "from snapshot 1 to snapshot 2" in " ".join(page.split())
