"""A release is a container behind the gateway.

Whatever replaces what, somebody always answers.
"""

from __future__ import annotations

import threading

import httpx
import pytest

from pipelines.deployment.docker.names import container_name, image_name
from pipelines.deployment.docker_target import KEPT, DockerTarget
from pipelines.deployment.orders import carry_out
from pipelines.errors import Conflict, PerennialError
from tests.asking import ROW

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_a_release_replaces_another_and_no_request_fails(model):
    with model.asked(pause=0.005) as asked:
        deployed = model.deploy("2")
    assert (deployed.release, deployed.version) == (2, "2")
    assert asked.failures == []
    assert set(asked.answers) == {1, 2}
    assert model.says() == (2, "2")
    assert model.containers() == {1: "exited", 2: "running"}
    assert model.logged() == asked.answers, (
        "each answer is logged once, by its release, and no golden request is"
    )


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_every_kind_of_model_proves_itself(yard, task):
    found = yard.model(task=task)
    try:
        assert found.deploy("1").release == 1
        assert found.says() == (1, "1")
    finally:
        found.remove()


def test_what_the_container_may_do(model, engine):
    body = engine.inspect_container(container_name(model.name, 1))
    host, image = body["HostConfig"], engine.inspect_image(image_name(model.name, 1))
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert not host["Privileged"]
    assert not host["PortBindings"]
    assert list(body["NetworkSettings"]["Networks"]) == [model.yard.name]
    labels = image["Config"]["Labels"]
    assert {
        k: labels[k]
        for k in (
            "perennial.version",
            "perennial.bundle",
            "perennial.features",
            "perennial.release",
        )
    } == {
        "perennial.version": "1",
        "perennial.bundle": model.bundles["1"].sha256,
        "perennial.features": "abc123",
        "perennial.release": "1",
    }
    assert body["Config"]["Labels"].items() >= labels.items()


def test_the_proof_header_of_a_stranger_is_traffic(model, engine):
    environment = engine.inspect_container(container_name(model.name, 1))["Config"]["Env"]
    token = next(e.split("=", 1)[1] for e in environment if e.startswith("PERENNIAL_PROOF_TOKEN="))
    url = f"{model.yard.url}/models/{model.name}/predict"
    assert (
        httpx.post(url, json={"row": ROW}, headers={"x-perennial-proof": token}).status_code == 200
    )
    assert model.logged() == {1: 1}


def test_a_gateway_that_starts_anew_knows_the_routes(model):
    model.deploy("2")
    model.yard.restarted(running=False)
    model.yard.restarted(running=True)
    assert model.says() == (2, "2")


def test_of_two_deployments_at_once_one_wins(model):
    orders = [model.order("2", "one"), model.order("2", "other")]
    outcomes = []

    def deploy(order):
        try:
            outcomes.append(carry_out(model.context, order, DockerTarget()).release)
        except PerennialError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=deploy, args=(order,)) for order in orders]
    with model.asked() as asked:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert asked.failures == []
    assert sorted(outcomes, key=str) == [2, Conflict]
    assert model.containers() == {1: "exited", 2: "running"}
    assert len(model.context.ports.ledger.entries(model.name, "champion")) == 2


def test_only_the_newest_stopped_containers_are_kept(model):
    for number in range(2, KEPT + 3):
        model.deploy("12"[number % 2 == 0])
    assert model.containers() == {
        KEPT + 2: "running",
        **dict.fromkeys(range(2, KEPT + 2), "exited"),
    }
