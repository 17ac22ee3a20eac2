"""Deployments that meet something else.

A reconciliation, a kill, a champion that had once died, another serving image.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from pipelines.deployment.docker.engine import engine_for
from pipelines.deployment.docker.gateway import Gateway
from pipelines.deployment.docker.names import container_name, image_name
from pipelines.deployment.docker_target import DockerTarget
from pipelines.deployment.orders import reconcile
from pipelines.errors import Unreachable
from pipelines.messages import RollbackRequest
from pipelines.steps import rollback

pytestmark = [pytest.mark.engine, pytest.mark.slow]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Before(Gateway):
    """A gateway that does something before it leads to a release."""

    def __init__(self, model, happens):
        super().__init__(model.yard.folder)
        self.happens = happens

    def lead(self, model, container):
        self.happens()
        super().lead(model, container)


def test_reconciling_waits_for_a_deployment_that_is_at_work(model):
    ended = []

    def meanwhile():
        other = threading.Thread(
            target=lambda: ended.append(reconcile(model.context, DockerTarget()))
        )
        other.start()
        other.join(2.0)
        assert other.is_alive(), "it would have put the unproven release away"

    with model.asked() as asked:
        model.deploy("2", target=DockerTarget(gateway=Before(model, meanwhile)))
        end = time.monotonic() + 30
        while not ended and time.monotonic() < end:
            time.sleep(0.05)
    assert ended == [[]]
    assert asked.failures == []
    assert model.says() == (2, "2")
    assert model.containers() == {1: "exited", 2: "running"}


class Once(DockerTarget):
    """A target whose candidate is killed from outside while it proves itself."""

    def _prove_release(self, context, release, image):
        engine, _ = self._parts(context)
        create = engine.start

        def start(name):
            create(name)
            engine._api.kill(name)

        engine.start = start
        super()._prove_release(context, release, image)


def test_a_candidate_that_is_killed_is_no_refusal_and_the_retry_goes_on(model):
    with model.asked() as asked:
        with pytest.raises(Unreachable, match="was killed while it proved itself"):
            model.deploy("2", "once", target=Once())
        assert model.says() == (1, "1")
        assert model.context.ports.ledger.entries(model.name, "release_refused") == []
        assert model.deploy("2", "once").version == "2"
    assert asked.failures == []


def test_a_champion_that_had_once_died_is_not_replaced_because_the_route_is_torn(model, engine):
    name = container_name(model.name, 1)
    before = engine.inspect_container(name)
    # The server's process dies, and the engine starts it again: that counts as a restart.
    inside = engine.exec_create(name, ["sh", "-c", "kill -9 -1"], user="0")["Id"]
    engine.exec_start(inside)
    end = time.monotonic() + 60
    while (
        engine.inspect_container(name)["RestartCount"] == 0 or model.says() != (1, "1")
    ) and time.monotonic() < end:
        time.sleep(0.2)
    assert engine.inspect_container(name)["RestartCount"] > 0
    assert model.says() == (1, "1")
    Gateway(model.yard.folder)._write({model.name: "perennial-release-elsewhere-9"})
    reconcile(model.context, DockerTarget())
    assert Gateway(model.yard.folder).written_route(model.name) == name
    assert engine.inspect_container(name)["Id"] == before["Id"]
    assert reconcile(model.context, DockerTarget()) == []


def test_a_rollback_answers_with_the_code_that_answered_before(model, engine):
    model.deploy("2")
    first = engine.inspect_image(image_name(model.name, 1))["Config"]["Labels"]["perennial.base"]
    newer = model.set(serving_image="perennial/serving:that-is-not-there")
    with model.asked() as asked:
        deployed = rollback.run(
            newer.context, RollbackRequest(run="back", now=NOW, conf={}), DockerTarget()
        )
    assert asked.failures == []
    assert (deployed.release, model.says()) == (3, (3, "1"))
    assert (
        engine.inspect_image(image_name(model.name, 3))["Config"]["Labels"]["perennial.base"]
        == first
    )


def test_another_installation_s_releases_are_neither_seen_nor_touched(model):
    other = engine_for(model.context.settings.replace(docker_state="elsewhere"))
    assert other.containers({"perennial.model": model.name}) == []
    assert other.images({"perennial.model": model.name}) == []
    assert engine_for(model.context.settings).containers({"perennial.model": model.name}) == [
        container_name(model.name, 1)
    ]
