"""A door before the real engine, in a process of the test's own; and what is said to it."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import pytest

IMAGE = os.environ.get("PERENNIAL_TEST_STEPS_IMAGE", "perennial/steps:latest")
SPEAKS = "import os, time; os.write(1, b'out\\n'); os.write(2, b'err\\n'); time.sleep(600)"
ROOT = Path(__file__).parents[2]


def engine_socket():
    """The engine's socket; skips where the engine has none, for there the door has no place."""
    url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not url.startswith("unix://"):
        pytest.skip("the door stands before an engine's socket; here is none")
    return url.removeprefix("unix://")


@contextlib.contextmanager
def open_door(engine, stack, memory):
    """Run a door for the stack and yield its port.

    Its process ends with the block, and what was made through it goes.
    """
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
        engine_socket(),
        "--stack",
        stack,
        "--volume",
        f"{stack}_state",
    ]
    allowed = [
        "--keep",
        "--stopped",
        str(memory),
        "--network",
        "none",
        "--image",
        IMAGE,
        "--context-bytes",
        "4000000",
    ]
    command = [sys.executable, "-m", "door", *options, *allowed]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as door:
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


def context(dockerfile, contents=()):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, data in {"Dockerfile": dockerfile.encode(), **dict(contents)}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    whole.seek(0)
    return whole


def spoken(port, said):
    """What the door answers to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(said)
        return b"".join(iter(lambda: connection.recv(65_536), b""))
