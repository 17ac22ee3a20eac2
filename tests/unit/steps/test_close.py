"""`close`: the parent run ends as the DAG run did, once."""

from __future__ import annotations

import pytest

from pipelines import run_ending
from pipelines.deployment import releases
from pipelines.deployment.process_target import ProcessTarget
from pipelines.ledger import outcomes
from pipelines.messages import CloseRequest, DeployRequest, DeployResult, GateResult, PackageRequest
from pipelines.steps import close, deploy, gate, package
from tests.unit.steps.deployments import Following
from tests.unit.steps.learning import RUN, half_deployed, learning


def _judged(verdict):
    return GateResult(
        verdict=verdict,
        reasons=[],
        checks=[],
        candidate="linear",
        run_id="r",
        version="1",
        metrics={"roc_auc": 0.7},
        champion=None,
    )


DEPLOYED = DeployResult(release=1, version="1", previous=None)


@pytest.mark.parametrize(
    ("gate", "deploy", "state", "outcome"),
    [
        pytest.param(_judged("promote"), DEPLOYED, "FINISHED", "deployed", id="deployed"),
        pytest.param(_judged("refuse"), None, "FINISHED", "refused", id="refused"),
        pytest.param(_judged("promote"), None, "FAILED", "failed", id="promoted, but not deployed"),
        pytest.param(None, None, "FAILED", "failed", id="never judged"),
    ],
)
def test_the_parent_run_ends_as_the_run_did(tmp_path, gate, deploy, state, outcome):
    world = learning(tmp_path)
    request = CloseRequest(run=RUN, features=world.built, gate=gate, deploy=deploy)
    assert (
        close.run(world.context, request)
        == close.run(world.context, request)
        == close.CloseResult(state=state)
    )
    parent = world.context.ports.registry.runs[world.built.parent_run]
    assert (parent.state, parent.tags["outcome"]) == (state, outcome)


def test_a_failed_run_that_was_mended_is_finished(tmp_path):
    world = learning(tmp_path)
    close.run(world.context, CloseRequest(run=RUN, features=world.built))
    close.run(
        world.context,
        CloseRequest(run=RUN, features=world.built, gate=_judged("promote"), deploy=DEPLOYED),
    )
    assert world.context.ports.registry.state(world.built.parent_run) == "FINISHED"


def test_without_features_there_is_nothing_to_close_but_an_outcome(tmp_path):
    context = learning(tmp_path).context
    assert close.run(context, CloseRequest(run=RUN)).state == close.NOTHING
    found = outcomes.find_outcome(context.ports.ledger, "visits", RUN)
    assert (found.outcome, found.reasons) == (
        "failed",
        ["the run ended before its features were built"],
    )


def _entries(world):
    return [
        (e.key, e.body["outcome"], e.body["version"])
        for e in world.context.ports.ledger.entries("visits", "outcome")
    ]


def test_what_came_of_a_run_is_in_the_ledger_once_and_again_when_it_changed(tmp_path):
    world = learning(tmp_path)
    failed = CloseRequest(run=RUN, features=world.built, gate=_judged("promote"))
    mended = CloseRequest(run=RUN, features=world.built, gate=_judged("promote"), deploy=DEPLOYED)
    for request in (failed, failed, mended, mended):
        close.run(world.context, request)
    assert _entries(world) == [(RUN, "failed", "1"), (f"{RUN}~2", "deployed", "1")]
    close.run(world.context, failed)
    assert _entries(world)[2:] == [(f"{RUN}~3", "failed", "1")]
    assert outcomes.find_outcome(world.context.ports.ledger, "visits", RUN).outcome == "failed"


def test_a_refusal_keeps_the_gates_reasons(tmp_path):
    world = learning(tmp_path)
    judged = _judged("refuse").model_copy(update={"reasons": ["roc_auc is too low"]})
    close.run(world.context, CloseRequest(run=RUN, features=world.built, gate=judged))
    assert outcomes.find_outcome(world.context.ports.ledger, "visits", RUN).reasons == [
        "roc_auc is too low"
    ]


def test_a_run_that_is_called_what_anothers_second_outcome_is(tmp_path):
    world = learning(tmp_path)
    close.run(world.context, CloseRequest(run=f"{RUN}~2"))
    close.run(world.context, CloseRequest(run=RUN, features=world.built))
    close.run(
        world.context,
        CloseRequest(run=RUN, features=world.built, gate=_judged("promote"), deploy=DEPLOYED),
    )
    ledger = world.context.ports.ledger
    assert outcomes.find_outcome(ledger, "visits", RUN).outcome == "deployed"
    assert outcomes.find_outcome(ledger, "visits", f"{RUN}~2").outcome == "failed"


def test_what_a_failed_deployment_left_serving_is_taken_back(tmp_path):
    world = learning(tmp_path)
    half_deployed(world.context)
    close.run(world.context, CloseRequest(run=RUN, features=world.built, gate=_judged("promote")))
    assert releases.newest(world.context.ports.store, world.context.spec.name).version == "1"


class TestClearedOnlyFailed:
    """In Airflow, clearing what failed does not run `close` again, which had ended green.

    The record follows all the same.
    """

    def ends(self, world):
        found = outcomes.find_outcome(world.context.ports.ledger, "visits", RUN)
        parent = world.context.ports.registry.runs[world.built.parent_run]
        return found.outcome, found.version, parent.state, parent.tags["outcome"]

    def test_a_run_that_is_judged_and_deployed_after_it_had_failed_is_deployed(self, tmp_path):
        world = learning(tmp_path)
        trained = world.train_all()
        close.run(world.context, CloseRequest(run=RUN, features=world.built))
        assert self.ends(world) == ("failed", "", "FAILED", "failed")
        judged = gate.run(world.context, world.gate_request(trained))
        assert self.ends(world) == ("failed", judged.version, "FAILED", "failed")
        packed = package.run(
            world.context, PackageRequest(run=RUN, features=world.built, train=trained, gate=judged)
        )
        for _ in range(2):
            deploy.run(
                world.context,
                DeployRequest(run=RUN, gate=judged, package=packed),
                ProcessTarget(Following(world.context)),
            )
            assert self.ends(world) == ("deployed", judged.version, "FINISHED", "deployed")
        assert [outcome for _, outcome, _ in _entries(world)] == ["failed", "failed", "deployed"]
        world.context.ports.ledger.verify()

    def test_a_run_that_is_refused_after_it_had_failed_is_refused(self, tmp_path):
        world = learning(tmp_path)
        close.run(world.context, CloseRequest(run=RUN, features=world.built))
        run_ending.amend(world.context, RUN, _judged("refuse"))
        assert self.ends(world) == ("refused", "1", "FINISHED", "refused")

    def test_before_close_has_spoken_nothing_is_written(self, tmp_path):
        world = learning(tmp_path)
        run_ending.amend(world.context, RUN, _judged("promote"), DEPLOYED)
        assert _entries(world) == []
        assert world.context.ports.registry.state(world.built.parent_run) == "RUNNING"
