"""A state that the version before left on the disk: it opens, serves, goes back and goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.answers.origins import why
from pipelines.deployment import releases
from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import Untrusted
from pipelines.intervals import iso
from pipelines.ledger import GateVerdict
from pipelines.messages import (
    CloseRequest,
    DeployRequest,
    DeployResult,
    GateResult,
    RollbackRequest,
)
from pipelines.ops.signing_keys import begin
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import local_path
from pipelines.steps import close, deploy, rollback
from pipelines.store.local import LocalStore
from pipelines.versions.memory import MemoryVersions
from serving.loaded_release import open_release
from serving.problems import encode
from tests import version_0
from tests.served import NOW, packaged
from tests.unit.steps.deployments import Following
from tests.version_0 import ENTRIES, MODEL
from tests.worlds import make_world


@pytest.fixture
def context(tmp_path):
    world = make_world(tmp_path / "home")
    version_0.write_store(world.settings)
    registry = MemoryRegistry()
    source = tmp_path / "model"
    source.write_bytes(b"a model")
    for run in ("first", "second"):
        registry.register(MODEL, registry.parent(MODEL, run, {}), run, source, {})
    registry.point(MODEL, "2")
    ledger = version_0.write_ledger(tmp_path / "ledger.db")
    store = LocalStore(local_path(world.settings.store))
    return world.context(Ports(store, MemoryVersions(), registry, ledger))


def served(context):
    """Open the newest release as the server does."""
    newest = releases.newest(context.ports.store, MODEL)
    return open_release(
        context.ports.store,
        MODEL,
        newest.number,
        max_rows=10,
        now=iso(NOW),
        settings=context.settings,
    )


def go_back(context):
    request = RollbackRequest(run="later", now=NOW, conf={"reason": "wrong prices", "to": 1})
    return rollback.run(context, request, ProcessTarget(Following(context)))


def test_its_release_opens_and_answers_a_golden_request(context):
    opened = served(context)
    assert (opened.release.number, opened.release.version) == (4, "2")
    golden = opened.bundle.golden
    asked = opened.decoder.decode(encode({"row": golden.rows[0]}))
    assert opened.predictions(asked.rows) == pytest.approx(golden.answers[0], abs=1e-6)


def test_it_goes_back_to_the_release_before(context):
    done = go_back(context)
    assert done == DeployResult(release=5, version="1", previous="2")
    assert served(context).release.version == "1"
    assert context.ports.ledger.champion(MODEL).version == "1"
    assert context.ports.registry.alias(MODEL) == "1"
    assert context.ports.ledger.verify() == len(ENTRIES) + 2


def test_a_further_retraining_is_judged_deployed_and_closed_upon_it(context):
    go_back(context)  # to the version that does not know the pages: the next one is better
    ledger, run = context.ports.ledger, "third"
    package = packaged(context, 7, run)
    judged = ledger.find(MODEL, "verdict", run).read(GateVerdict).part(GateResult)
    assert (judged.version, judged.champion, judged.incident) == ("3", "1", "")
    request = DeployRequest(run=run, gate=judged, package=package)
    done = deploy.run(context, request, ProcessTarget(Following(context)))
    close.run(context, CloseRequest(run=run, gate=judged, deploy=done))
    assert done == DeployResult(release=6, version="3", previous="1")
    assert served(context).release.version == "3"
    added = ledger.entries()[len(ENTRIES) :]
    steps = ["ingest", "validation", "features", "training", "training"]
    decisions = ["verdict", "release", "champion", "outcome"]
    assert [e.kind for e in added[2:]] == [*steps, *decisions]
    later = {"choice", "made_from", "judged_by"}  # what a verdict says since then, besides
    for entry in added:
        if entry.kind not in steps:
            known = version_0.fields(entry.kind)
            assert set(entry.body) - later in known, entry.kind
    assert ledger.verify() == len(ENTRIES) + 11
    origin = why(ledger, context.ports.store, MODEL, "3")
    assert origin.missing == {}
    assert set(why(ledger, context.ports.store, MODEL, "1").missing) >= {"training", "batches"}


def test_a_first_key_signs_what_it_crowned_and_that_serves_where_signatures_are_required(
    context, tmp_path
):
    settings = context.settings.replace(
        ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}", require_signature=True
    )
    context = replace(context, settings=settings)
    with pytest.raises(Untrusted, match="it has no signature"):
        served(context)
    begin(settings, context.ports.store, NOW)
    assert served(context).release.version == "2"
    assert go_back(context).version == "1"
    assert served(context).release.version == "1"
