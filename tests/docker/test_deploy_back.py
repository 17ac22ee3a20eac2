"""What is brought back: an earlier release by a rollback, a champion whose container was lost."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from pipelines.deployment.docker.names import container_name, image_name
from pipelines.deployment.docker_target import DockerTarget
from pipelines.deployment.orders import reconcile
from pipelines.errors import Corrupted
from pipelines.messages import RollbackRequest
from pipelines.steps import rollback

pytestmark = [pytest.mark.engine, pytest.mark.slow]

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_rollback_builds_again_what_was_removed(model, engine):
    model.deploy("2")
    engine.remove_container(container_name(model.name, 1))
    engine.remove_image(image_name(model.name, 1))
    with model.asked() as asked:
        deployed = rollback.run(
            model.context,
            RollbackRequest(run="back", now=NOW, conf={"reason": "it was better"}),
            DockerTarget(),
        )
    assert (deployed.release, deployed.version) == (3, "1")
    assert asked.failures == []
    assert model.says() == (3, "1")
    assert model.containers() == {2: "exited", 3: "running"}


def test_a_rollback_to_a_bundle_that_is_gone_changes_nothing(model):
    model.deploy("2")
    (model.context.ports.store.root / model.bundles["1"].uri).unlink()
    with model.asked() as asked, pytest.raises(Corrupted):
        rollback.run(
            model.context,
            RollbackRequest(run="back", now=NOW, conf={"reason": "it was better"}),
            DockerTarget(),
        )
    assert asked.failures == []
    assert model.says() == (2, "2")


@pytest.mark.parametrize("lost", ["stopped", "removed", "image removed"])
def test_a_champion_whose_container_is_lost_comes_back(model, engine, lost):
    name, layers = (
        container_name(model.name, 1),
        engine.inspect_image(image_name(model.name, 1))["RootFS"]["Layers"],
    )
    before = model.state()
    engine.stop(name, timeout=10)
    if lost != "stopped":
        engine.remove_container(name)
    if lost == "image removed":
        engine.remove_image(image_name(model.name, 1))
    assert httpx.get(f"{model.yard.url}/models/{model.name}").status_code == 503
    words = reconcile(model.context, DockerTarget())
    assert len(words) == 1
    assert name in words[0]
    assert model.state() == before
    assert engine.inspect_image(image_name(model.name, 1))["RootFS"]["Layers"] == layers, (
        "the same release gives the same bytes"
    )
    assert reconcile(model.context, DockerTarget()) == []
