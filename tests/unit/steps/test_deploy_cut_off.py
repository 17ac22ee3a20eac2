"""Wherever a deployment is cut off, a retry, the next run and a repair by hand all end well."""

from __future__ import annotations

import pytest

from pipelines.bundle.manifest import Release, release_key
from pipelines.deployment import orders, releases
from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import Refused
from pipelines.refs import canonical
from pipelines.steps import deploy
from tests.unit.steps.deployments import (
    MODEL,
    Crash,
    Cut,
    Following,
    assert_all_agree,
    deploy_request,
    deploy_version,
    reconcile,
    world_to_deploy,
)


def _calls(champion):
    """How many calls of the ports one whole deployment makes."""
    counter = []
    _cut_off(champion, at=0, after=False, counter=counter)
    return len(counter)


def _cut_off(champion, *, at, after, counter, server=Following):
    """Deploy a version over the champion, dying at call `at`.

    Return the world as it is left, the request and whether it died.
    """
    world = world_to_deploy()
    if champion:
        deploy_version(world, deploy_request(world, champion, None))
    request = deploy_request(world, "2", champion)
    ports = world.context.ports
    cut = world.with_ports(
        **{
            name: Cut(getattr(ports, name), counter, at, after=after)
            for name in ("store", "ledger", "registry")
        }
    )
    try:
        deploy.run(cut.context, request, ProcessTarget(server(world.context)))
    except Crash:
        return world, request, True
    return world, request, False


@pytest.mark.parametrize(
    "champion", [pytest.param(None, id="the first"), pytest.param("1", id="over a champion")]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_at_any_call_a_retry_finishes(champion, after):
    for at in range(1, _calls(champion) + 1):
        world, request, died = _cut_off(champion, at=at, after=after, counter=[])
        assert died
        deployed = deploy_version(world, request)
        assert (deployed.version, deployed.previous) == ("2", champion)
        assert_all_agree(world, "2")
        assert len(world.context.ports.ledger.entries(MODEL, "champion")) == (2 if champion else 1)
        assert (
            len(
                [
                    e
                    for e in world.context.ports.ledger.entries(MODEL, "release")
                    if e.body["version"] == "2"
                ]
            )
            == 1
        ), at


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_at_any_call_reconciling_makes_all_agree(after):
    for at in range(1, _calls("1") + 1):
        world, _, _ = _cut_off("1", at=at, after=after, counter=[])
        reconcile(world)
        assert_all_agree(world, world.context.ports.ledger.champion(MODEL).version)
        assert reconcile(world) == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_at_any_call_the_next_run_goes_through(after):
    for at in range(1, _calls("1") + 1):
        world, _, _ = _cut_off("1", at=at, after=after, counter=[])
        champion = world.context.ports.ledger.champion(MODEL).version
        assert deploy_version(world, deploy_request(world, "3", champion)).version == "3"
        assert_all_agree(world, "3")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_retry_after_somebody_reconciled_in_between_still_finishes(after):
    for at in range(1, _calls("1") + 1):
        world, request, _ = _cut_off("1", at=at, after=after, counter=[])
        reconcile(world)
        assert deploy_version(world, request).version == "2"
        assert_all_agree(world, "2")


def test_reconciling_can_itself_be_cut_off():
    for after in (False, True):
        for at in range(1, 30):
            world, _, _ = _cut_off("1", at=0, after=False, counter=[])
            ports = world.context.ports
            ports.registry.point(MODEL, "3")
            stray = Release(
                model=MODEL,
                number=9,
                version="1",
                bundle=ports.ledger.champion(MODEL).bundle,
                reason="by hand",
            )
            ports.store.publish(release_key(MODEL, 9), canonical(stray))
            counter = []
            cut = world.with_ports(
                **{
                    n: Cut(getattr(ports, n), counter, at, after=after)
                    for n in ("store", "ledger", "registry")
                }
            )
            try:
                orders.reconcile(cut.context, ProcessTarget(Following(world.context)))
            except Crash:
                reconcile(world)
            assert_all_agree(world, "2")
            assert releases.newest(ports.store, MODEL).number == 10


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_while_taking_back_the_retry_is_refused_and_the_champion_serves(after):
    def server(context):
        return Following(context, refuses={"2"})

    for at in range(1, 60):
        try:
            world, request, died = _cut_off("1", at=at, after=after, counter=[], server=server)
        except Refused:
            break
        assert died
        with pytest.raises(Refused):
            deploy_version(world, request, server(world.context))
        assert_all_agree(world, "1", server(world.context))
    assert at > 10
