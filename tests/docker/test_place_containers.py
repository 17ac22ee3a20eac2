"""What a step's container is, and what is said in words where it cannot be made."""

from __future__ import annotations

import gc
import json
import os

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from perennial_airflow.places.docker import container_name

from tests.docker.steps import Heard, context, operator, started, the_name

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("nothing_left")]
HOSTILE_RUN = 'by hand "; touch /state/owned; $(id) {{ 7 * 7 }} ../../x\n,perennial.kind=release'


def test_a_missing_image_is_named_and_never_pulled(settings):
    task = operator(settings.replace(steps_image="perennial-test/nowhere:1"))
    with pytest.raises(
        AirflowFailException,
        match=r"no image perennial-test/nowhere:1\. Remedy: build it \(`make images`",
    ):
        task.execute(context())


# docker-py 7.2 leaves it open.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("host", ["unix:///tmp/no-engine-is-here.sock", "tcp://127.0.0.1:9"])
def test_an_engine_that_is_away_is_tried_again(settings, host):
    with pytest.raises(
        AirflowException, match=f"The Docker engine at {host} does not answer.*Remedy: start it"
    ) as caught:
        operator(settings.replace(docker_host=host)).execute(context())
    assert type(caught.value) is AirflowException
    del caught
    gc.collect()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        pytest.param(
            {"network": "perennial-test-nowhere"},
            "perennial-test-nowhere not found.*docker network create",
            id="network",
        ),
        pytest.param({"cpus": 400}, "Remedy: lower `resources.cpus`", id="cores"),
        pytest.param({"memory": "1m"}, "Remedy: raise `resources.memory`", id="memory"),
        pytest.param({"network": "host"}, "host's own network", id="the host's network"),
    ],
)
def test_limits_that_the_engine_cannot_give_are_refused_in_words(settings, limits, words):
    with pytest.raises(AirflowFailException, match=words):
        operator(settings, limits=limits).execute(context())


def test_a_state_folder_that_the_engines_host_does_not_have_is_named(settings):
    with pytest.raises(AirflowFailException, match="Remedy: set PERENNIAL_DOCKER_STATE"):
        operator(settings.replace(docker_state="/nowhere/on/this/host")).execute(context())


def test_a_foreign_container_that_has_the_name_is_left_alone_and_named(
    settings, engine, step_image
):
    foreign = engine.create_container(
        step_image, name=the_name(settings), labels={"perennial": "1", "perennial.kind": "release"}
    )
    try:
        with pytest.raises(
            AirflowFailException,
            match=f"The name {the_name(settings)} is taken.*Remedy: remove or rename it",
        ):
            operator(settings).execute(context())
        assert engine.inspect_container(foreign["Id"])["Name"] == f"/{the_name(settings)}"
    finally:
        engine.remove_container(foreign["Id"], force=True)


def test_other_runs_and_other_dags_of_one_model_are_other_containers(settings):
    names = {
        the_name(settings),
        the_name(settings, "by hand 2"),
        container_name(settings, "demo", "features", "drift_demo", "by hand 1", -1),
    }
    assert len(names) == 3


def test_what_the_container_is(settings, engine, step_image, tmp_path):
    task, found = operator(settings, limits={"memory": "256m", "cpus": 0.5}), []
    code = """
def tried(path):
    try:
        open(path, "w").close(); return "written"
    except OSError as error:
        return error.strerror
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
facts = {p: tried(p) for p in ("/owned", "/step.py", "/tmp/mine", "/state/mine")}
facts |= {"caps": status["CapEff"].strip(), "privileges": status["NoNewPrivs"].strip()}
facts |= {"home": os.environ["HOME"], "uid": os.getuid()}
print(json.dumps(facts))
"""
    with started(task, code, HOSTILE_RUN) as running:
        found.append(engine.inspect_container(the_name(settings, HOSTILE_RUN)))
        heard = Heard()
        assert running.follow(heard) == 0
    inside = json.loads(heard.lines[0][1])
    assert (inside["/owned"], inside["/tmp/mine"], inside["/state/mine"]) == (
        "Read-only file system",
        "written",
        "written",
    )
    assert inside["/step.py"] == "Read-only file system"
    assert (int(inside["caps"], 16), inside["privileges"], inside["home"], inside["uid"]) == (
        0,
        "1",
        "/tmp",
        os.getuid(),
    )
    assert (tmp_path / "state" / "mine").exists()
    config, host = found[0]["Config"], found[0]["HostConfig"]
    assert config["Image"] == engine.inspect_image(step_image)["Id"]
    assert f"PERENNIAL_IMAGE={config['Image']}" in config["Env"]
    assert config["Labels"] == {
        "perennial": "1",
        "perennial.kind": "step",
        "perennial.model": "demo",
        "perennial.step": "features",
        "perennial.run": HOSTILE_RUN,
    }
    assert (host["Memory"], host["NanoCpus"], host["NetworkMode"], host["PidsLimit"]) == (
        256 * 2**20,
        500_000_000,
        "none",
        1_024,
    )
    assert (host["CapDrop"], host["SecurityOpt"], host["Privileged"], host["Init"]) == (
        ["ALL"],
        ["no-new-privileges"],
        False,
        True,
    )
    assert host["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-size": "10m", "max-file": "2"},
    }
    assert [(m["Type"], m["Destination"]) for m in found[0]["Mounts"]] == [("bind", "/state")]
