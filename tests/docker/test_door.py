"""The door before a real engine.

Docker-py works through it, and whoever asks for more is refused.
"""

from __future__ import annotations

import gc
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import uuid
import warnings
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engine]
IMAGE = "perennial/steps:latest"
SPEAKS = "import os, time; os.write(1, b'out\\n'); os.write(2, b'err\\n'); time.sleep(600)"


@pytest.fixture(scope="module")
def stack():
    """The name of a stack of the test's own."""
    return f"doortest-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def port(engine, stack, tmp_path_factory):
    """A door's port. Its process ends with the test, and what was made through it goes."""
    url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not url.startswith("unix://"):
        pytest.skip("the door stands before an engine's socket; here is none")
    try:
        engine.inspect_image(IMAGE)
    except Exception as error:  # noqa: BLE001 -- whatever the reason, there is nothing to run
        pytest.skip(f"{IMAGE}: {error}; make images")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    options = [
        "--port",
        str(number),
        "--engine",
        url.removeprefix("unix://"),
        "--stack",
        stack,
        "--volume",
        f"{stack}_state",
    ]
    allowed = [
        "--keep",
        "--stopped",
        str(tmp_path_factory.mktemp("door") / "stopped.json"),
        "--network",
        "none",
        "--image",
        "perennial/steps",
        "--context-bytes",
        "4000000",
    ]
    command = [sys.executable, "-m", "door", *options, *allowed]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE) as door:
        line = door.stderr.readline()
        assert b"listening" in line, line
        yield number
        door.terminate()
        said = door.communicate()[0] or b""
        assert b"Traceback" not in said
    for container in engine.containers(all=True, filters={"label": f"perennial.stack={stack}"}):
        engine.remove_container(container["Id"], force=True, v=True)
    for image in engine.images(filters={"label": f"perennial.stack={stack}"}):
        engine.remove_image(image["Id"], force=True)
    for volume in engine.volumes(filters={"name": f"{stack}_state"})["Volumes"] or []:
        engine.remove_volume(volume["Name"])


@pytest.fixture
def through(port):
    """The engine's client through the door."""
    import docker

    client = docker.APIClient(base_url=f"tcp://127.0.0.1:{port}", version="auto", timeout=60)
    yield client
    client.close()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # docker-py leaves the socket of an attached stream to the garbage collector
        gc.collect()


def made(client, stack, **host):
    """A container of the steps image that writes two lines and sleeps."""
    from docker.types import Mount

    mounts = [Mount("/state", f"{stack}_state", type="volume")]
    config = client.create_host_config(
        network_mode="none",
        mem_limit="256m",
        read_only=True,
        cap_drop=["ALL"],
        mounts=mounts,
        **host,
    )
    name = f"perennial-step-door-{uuid.uuid4().hex[:12]}"
    image = client.inspect_image(IMAGE)["Id"]
    return client.create_container(
        image, ["-c", SPEAKS], name=name, entrypoint=["python"], host_config=config
    )["Id"]


def refused(call, *arguments, **named):
    """The status and the words with which the door refuses a call of docker-py."""
    import docker

    with pytest.raises(docker.errors.APIError) as caught:
        call(*arguments, **named)
    return caught.value.status_code, str(caught.value.explanation)


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
        url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        with subprocess.Popen(
            [*command, "--engine", url.removeprefix("unix://")], cwd=Path(__file__).parents[2]
        ) as door:
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


def context(dockerfile, contents=()):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, data in {"Dockerfile": dockerfile.encode(), **dict(contents)}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    whole.seek(0)
    return whole


@pytest.mark.parametrize(
    "dockerfile",
    [
        f"FROM {IMAGE}\nRUN id",
        f"FROM {IMAGE}\nADD http://127.0.0.1/ /x",
        "FROM alpine",
        "FROM perennial/gateway",
        "FROM perennial/steps:not-there",
    ],
)
def test_a_build_that_runs_fetches_or_pulls_is_refused(through, stack, dockerfile):
    def build():
        return list(
            through.build(
                fileobj=context(dockerfile),
                custom_context=True,
                tag=f"perennial/release-{stack}:2",
                network_mode="none",
                decode=True,
            )
        )

    assert refused(build)[0] in {403, 404}
    assert through.images() == []


def test_a_context_that_is_too_long_is_refused(port):
    head = (
        b"POST /build?t=perennial/release-x:1&networkmode=none HTTP/1.1\r\nHost:"
        b" d\r\nContent-Length: 5000000\r\n\r\n"
    )
    assert spoken(port, head + bytes(5_000_000)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "host",
    [
        {"privileged": True},
        {"binds": ["/:/host"]},
        {"pid_mode": "host"},
        {"ipc_mode": "host"},
        {"cap_add": ["SYS_ADMIN"]},
        {"devices": ["/dev/null:/dev/x:rwm"]},
        {"security_opt": ["seccomp=unconfined"]},
        {"port_bindings": {80: 8099}},
    ],
    ids=str,
)
def test_a_container_that_reaches_its_host_is_refused(engine, through, stack, host):
    assert refused(made, through, stack, **host)[0] == 403
    assert engine.containers(all=True, filters={"label": f"perennial.stack={stack}"}) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hostname": "postgres"}, "Hostname"),
        ({"domainname": "postgres"}, "Domainname"),
        ({"labels": {"com.docker.compose.service": "postgres"}}, "com.docker.compose.service"),
        ({"user": "0"}, "User"),
    ],
    ids=str,
)
def test_a_container_that_poses_as_another_is_refused(through, fields, words):
    config = through.create_host_config(network_mode="none")
    status, said = refused(
        through.create_container,
        IMAGE,
        ["x"],
        name="perennial-step-x-1",
        host_config=config,
        **fields,
    )
    assert (status, words in said) == (403, True)


def test_an_image_that_runs_as_root_is_refused(engine, through, stack):
    tag = f"perennial/release-{stack}:root"
    list(
        engine.build(
            fileobj=context(f"FROM {IMAGE}\nUSER root"),
            custom_context=True,
            tag=tag,
            labels={"perennial.stack": stack},
            rm=True,
            decode=True,
        )
    )
    config = through.create_host_config(network_mode="none")
    for image in (tag, engine.inspect_image(tag)["Id"]):
        status, said = refused(
            through.create_container, image, ["x"], name="perennial-step-x-1", host_config=config
        )
        assert (status, "USER" in said) == (403, True)
    engine.remove_image(tag)


def test_a_mount_of_the_hosts_root_or_its_network_is_refused(through):
    from docker.types import Mount

    for options in (
        {"mounts": [Mount("/host", "/", type="bind")], "network_mode": "none"},
        {"network_mode": "host"},
        {},
    ):
        config = through.create_host_config(**options)
        assert (
            refused(
                through.create_container,
                IMAGE,
                ["x"],
                name="perennial-step-x-1",
                host_config=config,
            )[0]
            == 403
        )


def test_other_peoples_containers_are_not_touched_or_seen(engine, through, stack):
    foreign = engine.create_container(
        IMAGE,
        ["--help"],
        labels={"perennial": "1"},
        host_config=engine.create_host_config(network_mode="none"),
    )
    try:
        for call in (
            through.inspect_container,
            through.start,
            through.stop,
            through.kill,
            through.wait,
            through.logs,
            through.remove_container,
        ):
            status, words = refused(call, foreign["Id"])
            assert (status, "not made through this door" in words) == (403, True)
        assert refused(through.attach, foreign["Id"], stream=True)[0] == 403
        assert foreign["Id"] not in {found["Id"] for found in through.containers(all=True)}
        assert engine.inspect_container(foreign["Id"])["State"]["Status"] == "created"
    finally:
        engine.remove_container(foreign["Id"], force=True)


def test_everything_else_of_the_engine_is_refused(through):
    calls = [
        (through.info,),
        (through.create_volume, "x"),
        (through.volumes,),
        (through.networks,),
        (through.pull, "alpine"),
        (through.init_swarm,),
        (through.plugins,),
        (through.prune_containers,),
        (through.exec_create, "x", "id"),
        (through.get_archive, "x", "/etc"),
        (through.put_archive, "x", "/", b""),
        (through.remove_image, "perennial/steps"),
        (through.tag, IMAGE, "perennial/release-x"),
        (through.commit, "x"),
    ]
    assert {refused(*call)[0] for call in calls} == {403}


def spoken(port, said):
    """What the door answers to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(said)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


CREATE = b'{"Image": "perennial/steps", "HostConfig": {"NetworkMode": "none"}}'
SMUGGLED = b"POST /containers/create?name=x HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (
            (
                b"POST /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nTransfer-Encoding:"
                b" chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            (
                b"POST /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nContent-Length:"
                b" 5\r\n\r\nabcde"
            ),
            400,
        ),
        (b"POST /_ping HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
        (b"POST /_ping HTTP/1.1\r\nHost: d\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
        (b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: a\r\n b\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc", 403),
        (b"GET /v1.41/../info HTTP/1.1\r\nHost: d\r\n\r\n", 403),
        (b"GET /info HTTP/1.1\r\nHost: d\r\n\r\n", 403),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 403),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 400),
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(port, head, status):
    answer = spoken(port, head)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["message"]


def test_what_follows_a_request_never_reaches_the_engine(engine, port):
    answer = spoken(port, b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n" + SMUGGLED * 3)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"OK")


def test_half_a_request_is_given_up(port):
    began = time.monotonic()
    assert spoken(port, b"GET /_ping HTTP/1.1\r\nHost: d").startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began > 5


def test_an_engine_that_is_away_is_a_named_error(engine, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "door",
        "--port",
        str(number),
        "--engine",
        str(tmp_path / "none.sock"),
    ]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE) as door:
        door.stderr.readline()
        answer = spoken(number, b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        door.terminate()
        door.communicate()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"does not answer the door" in answer
