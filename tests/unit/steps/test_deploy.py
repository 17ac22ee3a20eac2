"""`deploy`: serving, alias and ledger agree, wherever it is cut off.

What the server refuses never becomes champion.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.bundle.manifest import BundleManifest, Golden
from pipelines.deployment import releases
from pipelines.deployment.serving_client import Serves
from pipelines.errors import Corrupted, Refused, RequestError, Unreachable
from pipelines.refs import canonical
from tests.unit.steps.deployments import (
    MODEL,
    Away,
    Following,
    assert_all_agree,
    deploy_request,
    deploy_version,
    packaged_once,
    world_to_deploy,
)


def test_a_first_and_a_second_version_are_deployed():
    world = world_to_deploy()
    first = deploy_version(world, deploy_request(world, "1", None))
    assert (first.release, first.version, first.previous) == (1, "1", None)
    assert_all_agree(world, "1")
    second = deploy_version(world, deploy_request(world, "2", "1"))
    assert (second.release, second.version, second.previous) == (2, "2", "1")
    assert_all_agree(world, "2")
    assert world.context.ports.store.keys("served") == ["served/visits"]
    assert [e.kind for e in world.context.ports.ledger.entries(MODEL)] == [
        "release",
        "champion",
    ] * 2
    assert world.context.ports.registry.runs[world.built.parent_run].tags["served_version"] == "2"


def test_a_retry_changes_nothing_even_long_after():
    world = world_to_deploy()
    first = deploy_request(world, "1", None)
    deployed = deploy_version(world, first)
    deploy_version(world, deploy_request(world, "2", "1"))
    count = world.context.ports.ledger.verify()
    assert deploy_version(world, first) == deployed
    assert world.context.ports.ledger.verify() == count
    assert_all_agree(world, "2")


def test_what_the_server_refuses_is_taken_back():
    world = world_to_deploy()
    deploy_version(world, deploy_request(world, "1", None))
    server = Following(world.context, refuses={"2"})
    request = deploy_request(world, "2", "1")
    for _ in range(2):  # the retry hears the same
        with pytest.raises(Refused, match="golden request 3: expected"):
            deploy_version(world, request, server)
        assert_all_agree(world, "1", server)
    (entry,) = world.context.ports.ledger.entries(MODEL, "release_refused")
    assert (entry.key, entry.body["number"]) == ("run2", 2)
    assert releases.newest(world.context.ports.store, MODEL).number == 3
    assert deploy_version(world, deploy_request(world, "3", "1"), server).release == 4
    assert_all_agree(world, "3", server)


def test_a_first_model_that_is_refused_leaves_nothing_behind_that_blocks_the_next():
    world = world_to_deploy()
    server = Following(world.context, refuses={"1"})
    with pytest.raises(Refused):
        deploy_version(world, deploy_request(world, "1", None), server)
    assert world.context.ports.ledger.champion(MODEL) is None
    assert deploy_version(world, deploy_request(world, "2", None), server).release == 2
    assert_all_agree(world, "2", server)


def test_while_the_server_is_away_a_retry_may_help_and_finds_its_release():
    world = world_to_deploy()
    request = deploy_request(world, "1", None)
    with pytest.raises(Unreachable, match="connection refused"):
        deploy_version(world, request, Away())
    assert world.context.ports.ledger.champion(MODEL) is None
    assert deploy_version(world, request, Away(Following(world.context), times=2)).release == 1
    assert_all_agree(world, "1")


def test_a_server_that_does_not_take_the_release_in_time_is_told_from_one_that_refuses():
    world = world_to_deploy()

    class Stuck:
        def serves(self, _):
            return Serves()

    with pytest.raises(Unreachable, match="has not taken release 1 of visits yet"):
        deploy_version(world, deploy_request(world, "1", None), Stuck())


def test_a_bundle_that_does_not_answer_as_packaged_touches_nothing():
    world = world_to_deploy()
    store, manifest = world.context.ports.store, packaged_once()[1]
    golden = Golden.model_validate_json(store.get(manifest.golden))
    wrong = golden.model_copy(update={"answers": [[0.123], *golden.answers[1:]]})
    request = deploy_request(world, "1", None, golden=store.put(canonical(wrong), ".json"))
    with pytest.raises(Refused, match="does not answer as packaged: golden request 0"):
        deploy_version(world, request)
    assert world.context.ports.ledger.entries(MODEL) == []
    assert store.keys("releases/visits") == []


def test_a_changed_bundle_touches_nothing():
    world = world_to_deploy()
    request = deploy_request(world, "1", None)
    manifest = BundleManifest.model_validate_json(
        world.context.ports.store.get(request.package.bundle)
    )
    world.context.ports.store.objects[manifest.onnx.uri] = b"changed"
    with pytest.raises(Corrupted):
        deploy_version(world, request)
    assert world.context.ports.ledger.entries(MODEL) == []


def test_a_bundle_of_another_version_is_refused():
    world = world_to_deploy()
    request = deploy_request(world, "1", None)
    other = request.package.model_copy(update={"version": "2"})
    judged = request.gate.model_copy(update={"version": "2"})
    with pytest.raises(Refused, match="is of visits 1, not of visits 2"):
        deploy_version(world, request.model_copy(update={"package": other, "gate": judged}))


@pytest.mark.parametrize(
    "change",
    [{"verdict": "refuse"}, {"version": "9"}],
    ids=["refused by the gate", "a verdict on another version"],
)
def test_what_was_not_promoted_is_not_deployed(change):
    world = world_to_deploy()
    request = deploy_request(world, "1", None)
    with pytest.raises(RequestError, match="was not promoted"):
        deploy_version(
            world, request.model_copy(update={"gate": request.gate.model_copy(update=change)})
        )


def test_deploy_and_close_import_neither_pandas_nor_scikit_learn():
    code = (
        "import sys, pipelines.steps.deploy, pipelines.steps.close; print({'pandas', 'sklearn',"
        " 'pyarrow', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert done.stdout.strip() == "set()"
