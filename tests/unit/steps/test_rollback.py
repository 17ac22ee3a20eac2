"""`rollback` and `promote`: what served serves again, released anew.

What the gate refused never does.
"""

from __future__ import annotations

import pytest

from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import Conflict, Corrupted, Refused, RequestError, Unreachable
from pipelines.messages import RollbackRequest
from pipelines.steps import deploy, rollback
from tests.decisions import gate_verdict
from tests.unit.steps.deployments import (
    MODEL,
    Crash,
    Cut,
    Following,
    assert_all_agree,
    deploy_request,
    world_to_deploy,
)

NOW = "2026-01-01T00:00:00Z"


def _target(world):
    return ProcessTarget(Following(world.context))


def _deployed(*versions):
    """A world in which these versions were deployed one after the other."""
    world = world_to_deploy()
    for before, version in zip([None, *versions], versions, strict=False):
        deploy.run(world.context, deploy_request(world, version, before), _target(world))
    return world


def _back(world, run="back", **conf):
    return rollback.run(
        world.context,
        RollbackRequest(run=run, now=NOW, conf={"reason": "wrong prices", **conf}),
        _target(world),
    )


def test_it_goes_back_to_what_served_before_under_a_new_number():
    world = _deployed("1", "2")
    done = _back(world)
    assert (done.release, done.version, done.previous) == (3, "1", "2")
    assert_all_agree(world, "1")
    entry = world.context.ports.ledger.find(MODEL, "release", "rollback:back")
    assert entry.body["reason"] == "rolled back to release 1: wrong prices"


def test_a_second_rollback_goes_further_back_and_never_to_what_was_rolled_back():
    world = _deployed("1", "2", "3")
    assert _back(world, "a").version == "2"
    assert _back(world, "b").version == "1"
    with pytest.raises(RequestError, match="Version 1 of visits is the first that serves"):
        _back(world, "c")
    assert_all_agree(world, "1")


def test_a_release_may_be_named():
    world = _deployed("1", "2", "3")
    assert _back(world, to=1).version == "1"
    assert_all_agree(world, "1")


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"to": 9}, "Release 9 of visits never served. Remedy: these did: 1, 2."),
        ({"to": 2}, "Version 2 of visits serves already, as release 2"),
        ({"to": 0}, "conf is wrong: to"),
        ({"to": "../1"}, "conf is wrong: to"),
        ({"to": 1, "image": "evil"}, "conf is wrong: image"),
        ({"reason": "x" * 501}, "conf is wrong: reason"),
    ],
)
def test_nonsense_is_refused_before_anything_is_touched(conf, words):
    world = _deployed("1", "2")
    before = world.context.ports.ledger.verify()
    with pytest.raises(RequestError) as refused:
        _back(world, **conf)
    assert words in str(refused.value)
    assert world.context.ports.ledger.verify() == before


def test_without_a_champion_there_is_nothing_to_go_back_to():
    with pytest.raises(RequestError, match="No version of visits has served yet"):
        _back(world_to_deploy())


def test_a_release_that_the_server_refused_is_no_goal():
    world = _deployed("1")
    with pytest.raises(Refused):
        deploy.run(
            world.context,
            deploy_request(world, "2", "1"),
            ProcessTarget(Following(world.context, refuses={"2"})),
        )
    with pytest.raises(RequestError, match="Release 2 of visits never served"):
        _back(world, to=2)


def test_a_bundle_that_is_gone_is_refused_and_what_serves_serves_on():
    world = _deployed("1", "2")
    store, ledger = world.context.ports.store, world.context.ports.ledger
    first = ledger.entries(MODEL, "champion")[0].body["bundle"]
    del store.objects[first["uri"]]
    with pytest.raises(Corrupted, match="has no object"):
        _back(world)
    assert_all_agree(world, "2")


def test_a_retry_goes_back_once_only():
    world = _deployed("1", "2", "3")
    assert _back(world) == _back(world)
    assert_all_agree(world, "2")


def test_a_retry_does_not_overthrow_a_champion_that_came_after_the_first_try():
    world = _deployed("1", "2")
    ports = world.context.ports

    class Gone:
        def serves(self, _):
            raise Crash

    with pytest.raises(Crash):
        rollback.run(
            world.context, RollbackRequest(run="back", now=NOW, conf={}), ProcessTarget(Gone())
        )
    assert ports.ledger.find(MODEL, "release", "rollback:back") is not None
    deploy.run(world.context, deploy_request(world, "3", "2"), _target(world))
    with pytest.raises(Conflict, match="Version 1 was to replace 2, but 3 is the champion now"):
        _back(world)
    assert_all_agree(world, "3")


def test_a_rollback_and_a_retraining_may_have_the_same_run_id():
    world = _deployed("1", "2")
    assert _back(world, run="run2").version == "1"
    assert_all_agree(world, "1")


def test_it_goes_back_while_the_registry_is_away_and_the_alias_follows_later():
    world = _deployed("1", "2")

    class Away:
        def __getattr__(self, name):
            def call(*_, **__):
                raise Unreachable("MLflow is away")

            return call

    with pytest.raises(Unreachable):  # after the crown: a retry finishes
        rollback.run(
            world.with_ports(registry=Away()).context,
            RollbackRequest(run="back", now=NOW, conf={}),
            _target(world),
        )
    assert world.context.ports.ledger.champion(MODEL).version == "1"
    assert Following(world.context).serves(MODEL).version == "1"
    assert _back(world).version == "1"
    assert_all_agree(world, "1")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cut_off_at_any_call_a_retry_finishes_what_was_begun(after):
    died, at = True, 0
    while died:
        at += 1
        world, counter = _deployed("1", "2", "3"), []
        ports = world.context.ports
        cut = world.with_ports(
            **{
                n: Cut(getattr(ports, n), counter, at, after=after)
                for n in ("store", "ledger", "registry")
            }
        )
        try:
            rollback.run(cut.context, RollbackRequest(run="back", now=NOW, conf={}), _target(world))
            died = False
        except Crash:
            assert _back(world).version == "2"
        assert_all_agree(world, "2")
        assert (
            len([e for e in ports.ledger.entries(MODEL, "release") if e.key == "rollback:back"])
            == 1
        )
    assert at > 10


def test_what_was_rolled_back_can_be_promoted_again():
    world = _deployed("1", "2")
    _back(world)
    done = rollback.promote(
        world.context,
        run="again",
        version="2",
        reason="the prices were right",
        target=_target(world),
    )
    assert (done.version, done.previous) == ("2", "1")
    assert_all_agree(world, "2")


def test_what_the_gate_refused_or_nobody_packaged_is_never_promoted_by_hand():
    world = _deployed("1")
    refused = gate_verdict(verdict="refuse", version="2", reasons=["roc_auc 0.51 is below 0.58"])
    world.context.ports.ledger.append(MODEL, "run2", refused)
    with pytest.raises(
        RequestError, match=r"The gate refused version 2 of visits: roc_auc 0\.51 is below 0\.58"
    ):
        rollback.promote(world.context, run="x", version="2", reason="", target=_target(world))
    with pytest.raises(RequestError, match="Version 3 of visits has no bundle"):
        rollback.promote(world.context, run="y", version="3", reason="", target=_target(world))
    assert_all_agree(world, "1")


def test_two_at_once_never_make_two_champions():
    world = _deployed("1", "2", "3")

    class Rival(Following):
        """While our release is taken, somebody else rolls back to release 1."""

        asked = False

        def serves(self, model):
            if not Rival.asked:
                Rival.asked = True
                rollback.run(
                    world.context,
                    RollbackRequest(run="rival", now=NOW, conf={"to": 1}),
                    _target(world),
                )
            return super().serves(model)

    with pytest.raises(Conflict):
        rollback.run(
            world.context,
            RollbackRequest(run="back", now=NOW, conf={}),
            ProcessTarget(Rival(world.context)),
        )
    assert_all_agree(world, "1")
