"""Reconciling: what was moved by hand is put back."""

from __future__ import annotations

from pipelines.bundle.manifest import Release, release_key
from pipelines.ledger import MemoryLedger
from pipelines.refs import Ref, canonical
from tests.unit.steps.deployments import (
    MODEL,
    assert_all_agree,
    deploy_request,
    deploy_version,
    reconcile,
    world_to_deploy,
)


def test_an_alias_moved_by_hand_is_put_back_and_written_down():
    world = world_to_deploy()
    deploy_version(world, deploy_request(world, "1", None))
    world.context.ports.registry.point(MODEL, "3")
    (words,) = reconcile(world)
    assert words == "the alias named 3, the champion is 1"
    assert_all_agree(world, "1")
    assert world.context.ports.ledger.entries(MODEL, "reconciled")[-1].body["reason"] == words


def test_a_release_written_by_hand_is_taken_back():
    world = world_to_deploy()
    deploy_version(world, deploy_request(world, "1", None))
    stray = Release(
        model=MODEL,
        number=5,
        version="2",
        bundle=Ref(uri="objects/x", sha256="0" * 64),
        reason="by hand",
    )
    world.context.ports.store.publish(release_key(MODEL, 5), canonical(stray))
    assert "release 6 points back" in reconcile(world)[0]
    assert_all_agree(world, "1")


def test_before_the_first_champion_there_is_nothing_to_reconcile():
    world = world_to_deploy()
    assert reconcile(world) == []
    assert isinstance(world.context.ports.ledger, MemoryLedger)
    assert world.context.ports.ledger.entries() == []
