"""Docker-py works through the door before a real engine, and what is killed comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid

import pytest

from pipelines.deployment.docker.engine import ReleaseEngine
from pipelines.deployment.docker.environment_image import with_packages
from pipelines.environments.resolution import resolve
from pipelines.settings import Settings
from pipelines.store.memory import MemoryStore
from tests.docker.doors import IMAGE, ROOT, SPEAKS, context, engine_socket, made, refused
from tests.wheels import Index, only_index

pytestmark = [pytest.mark.engine]


def test_a_container_lives_through_the_door(through, stack):
    assert through.ping()
    assert through.version()["Version"]
    container = made(through, stack)
    lines = through.attach(container, stdout=True, stderr=True, stream=True, demux=True)
    through.start(container)
    assert {next(lines), next(lines)} == {(b"out\n", None), (None, b"err\n")}
    assert [found["Id"] for found in through.containers(all=True)] == [container]
    assert sorted(through.logs(container).split()) == [b"err", b"out"]
    described = through.inspect_container(container)
    assert described["HostConfig"]["CapDrop"] == ["ALL"]
    assert described["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    assert described["HostConfig"]["PidsLimit"] == 2048
    assert described["HostConfig"]["MemorySwap"] == 256 << 20
    through.kill(container, "SIGKILL")
    assert through.wait(container)["StatusCode"] == 137
    through.start(container)
    through.stop(container, timeout=0)
    through.remove_container(container, v=True, force=True)
    assert through.containers(all=True) == []
    assert refused(through.inspect_container, container)[0] == 404


def test_what_is_killed_comes_back_and_what_is_stopped_does_not(engine, through, stack):
    container = made(through, stack, restart_policy={"Name": "unless-stopped"})
    through.start(container)
    began = through.inspect_container(container)["State"]["StartedAt"]
    engine.kill(container)
    end = time.monotonic() + 20
    while (state := engine.inspect_container(container)["State"])[
        "StartedAt"
    ] == began or not state["Running"]:
        assert time.monotonic() < end, state
        time.sleep(0.2)
    engine.stop(container, timeout=0)
    time.sleep(2.5)
    assert not engine.inspect_container(container)["State"]["Running"]
    through.remove_container(container, force=True)


def test_what_was_killed_while_the_door_was_away_comes_back(engine, tmp_path):
    kept = f"doortest-{uuid.uuid4().hex[:8]}"
    host = engine.create_host_config(network_mode="none", restart_policy={"Name": "unless-stopped"})
    killed, stopped = (
        engine.create_container(
            IMAGE,
            ["-c", SPEAKS],
            entrypoint=["python"],
            labels={"perennial.kept": kept},
            host_config=host,
        )["Id"]
        for _ in range(2)
    )
    try:
        for container, end in (
            (killed, engine.kill),
            (stopped, lambda one: engine.stop(one, timeout=0)),
        ):
            engine.start(container)
            end(container)
            assert engine.wait(container)["StatusCode"] == 137
        memory = tmp_path / "stopped.json"
        memory.write_text(json.dumps([stopped]))
        command = [
            sys.executable,
            "-m",
            "door",
            "--port",
            "0",
            "--stack",
            kept,
            "--keep",
            "--stopped",
            str(memory),
        ]
        with subprocess.Popen([*command, "--engine", engine_socket()], cwd=ROOT) as door:
            end = time.monotonic() + 20
            while not engine.inspect_container(killed)["State"]["Running"]:
                assert time.monotonic() < end
                time.sleep(0.2)
            door.terminate()
        assert not engine.inspect_container(stopped)["State"]["Running"]
    finally:
        for container in (killed, stopped):
            engine.remove_container(container, force=True)


def test_a_release_is_built_and_removed_through_the_door(through, stack):
    tag = f"perennial/release-{stack}:1"
    built = context(
        f"FROM {through.inspect_image(IMAGE)['Id']}\nCOPY release/ /release/\n",
        {"release/x": os.urandom(2_000_000)},
    )
    said = list(
        through.build(
            fileobj=built,
            custom_context=True,
            tag=tag,
            labels={"perennial.a": 'é "$x"'},
            network_mode="none",
            decode=True,
            rm=True,
        )
    )
    assert not [line for line in said if "error" in line]
    assert through.inspect_image(tag)["Config"]["Labels"]["perennial.stack"] == stack
    assert [image["RepoTags"] for image in through.images()] == [[tag]]
    through.remove_image(tag)
    assert through.images() == []


def test_an_image_with_packages_is_built_through_the_door(port, through, stack, tmp_path):
    index, store = Index(tmp_path / "simple"), MemoryStore()
    index.add("pndoor", "1.0")
    settings = Settings(home=tmp_path, state=tmp_path / "state")
    engine = ReleaseEngine(f"tcp://127.0.0.1:{port}", installation=stack)
    base = engine.image(IMAGE).id
    for _ in only_index(index.url):
        record = resolve(["pndoor==1.0"], store)
        image = with_packages(engine, settings, store, base, record)
    labels = through.inspect_image(image)["Config"]["Labels"]
    assert (labels["perennial.stack"], labels["perennial.environment"]) == (stack, record.sha256)
    assert through.containers(all=True) == []  # whoever told what the base has is gone
    engine.remove_image(image)
    assert through.images() == []
