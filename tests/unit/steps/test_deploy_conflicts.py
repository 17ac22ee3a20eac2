"""Who was overtaken gives way: another champion, another release, another with the same number."""

from __future__ import annotations

import pytest

from pipelines.bundle.manifest import Release, release_key
from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import Conflict, Unreachable
from pipelines.refs import canonical
from pipelines.steps import deploy
from tests.decisions import crown
from tests.late_listings import LateListings
from tests.unit.steps.deployments import (
    MODEL,
    Following,
    assert_all_agree,
    deploy_request,
    deploy_version,
    packaged_once,
    reconcile,
    world_to_deploy,
)


def test_a_champion_that_came_meanwhile_is_not_overthrown():
    world = world_to_deploy()
    deploy_version(world, deploy_request(world, "1", None))
    late = deploy_request(world, "2", "1")
    deploy_version(world, deploy_request(world, "3", "1"))
    with pytest.raises(Conflict, match="was to replace 1, but 3 is the champion now"):
        deploy_version(world, late)
    assert_all_agree(world, "3")


def test_losing_the_crown_gives_the_traffic_back():
    world = world_to_deploy()
    deploy_version(world, deploy_request(world, "1", None))
    rival = deploy_request(world, "3", "1")

    class Rival(Following):
        """While our release is taken, somebody else is crowned."""

        def serves(self, model):
            says = super().serves(model)
            champion = crown("3", rival.package.bundle, release=77)
            world.context.ports.ledger.crown(model, expected="1", champion=champion, key="rival")
            return says

    with pytest.raises(Conflict):
        deploy_version(world, deploy_request(world, "2", "1"), Rival(world.context))
    assert_all_agree(world, "3")


def test_a_newer_release_that_takes_over_while_waiting_is_a_conflict():
    world = world_to_deploy()
    deploy_version(world, deploy_request(world, "1", None))

    class Overtaken(Following):
        def serves(self, model):
            reconcile(world)  # as the command by hand would
            return super().serves(model)

    with pytest.raises(Conflict, match="took over"):
        deploy_version(world, deploy_request(world, "2", "1"), Overtaken(world.context))
    assert_all_agree(world, "1")


def test_a_number_that_somebody_took_is_given_up_for_the_next():
    world = world_to_deploy()
    deploy_version(world, deploy_request(world, "1", None))
    bundle = world.context.ports.ledger.champion(MODEL).bundle

    class Faster:
        """Somebody publishes release 2 between our intent and our publishing."""

        def __getattr__(self, name):
            return getattr(world.context.ports.store, name)

        def publish(self, key, data):
            if key == release_key(MODEL, 2):
                other = Release(model=MODEL, number=2, version="1", bundle=bundle, reason="faster")
                world.context.ports.store.publish(key, canonical(other))
            return world.context.ports.store.publish(key, data)

    deployed = deploy.run(
        world.with_ports(store=Faster()).context,
        deploy_request(world, "2", "1"),
        ProcessTarget(Following(world.context)),
    )
    assert deployed.release == 3
    assert [e.key for e in world.context.ports.ledger.entries(MODEL, "release")] == [
        "run1",
        "run2",
        "run2~2",
    ]
    assert_all_agree(world, "2")


@pytest.mark.parametrize("before", [None, "1"])
def test_a_release_that_no_listing_has_yet_is_entered_once_and_waited_for(before):
    world = world_to_deploy().with_ports(store=LateListings())
    world.context.ports.store.objects.update(packaged_once()[0].objects)
    if before:
        deploy_version(world, deploy_request(world, before, None))
    request = deploy_request(world, "2", before)
    store, released = world.context.ports.store, 2 if before else 1
    store.stop()
    with pytest.raises(Unreachable, match=f"has not taken release {released}"):
        deploy_version(world, request)
    assert store.read(release_key(MODEL, released)) is not None
    store.go_on()
    assert deploy_version(world, request).release == released
    assert [e.key for e in world.context.ports.ledger.entries(MODEL, "release")] == [
        *(["run1"] if before else []),
        "run2",
    ]
    assert_all_agree(world, "2")
