"""A release that cannot serve, or whose image, engine or gateway is away, changes nothing.

What serves before a refusal serves behind it, and then the other version is deployed. One model
does for many tests; but a bundle that was proven on a good image is released on that one for ever,
so whoever tries a bad image brings a bundle that is new.
"""

from __future__ import annotations

import gc
import io
import tarfile

import pytest

from pipelines.deployment.docker.engine import ReleaseEngine
from pipelines.deployment.docker.names import container_name
from pipelines.deployment.docker_target import DockerTarget
from pipelines.errors import Conflict, GiveUp, Refused, Unreachable

pytestmark = [pytest.mark.engine, pytest.mark.slow]

FAULTS = {
    "exits": b'ENTRYPOINT ["sh", "-c", "echo the library is missing >&2; exit 3"]\n',
    "sleeps": b'ENTRYPOINT ["sleep", "600"]\n',
    "lies": b"COPY sitecustomize.py /app/\n",
}
LIE = b"""
from serving.loaded_release import LoadedRelease
true = LoadedRelease.predictions
LoadedRelease.predictions = lambda self, rows: [answer / 2 for answer in true(self, rows)]
"""


@pytest.fixture(scope="module")
def broken(engine):
    """Serving images that are broken, each in its way, by the name of their fault."""
    tags = {name: f"perennial/serving-{name}:test" for name in FAULTS}
    for name, line in FAULTS.items():
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            for path, data in (
                ("Dockerfile", b"FROM perennial/serving:latest\n" + line),
                ("sitecustomize.py", LIE),
            ):
                entry = tarfile.TarInfo(path)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        said = list(
            engine.build(
                fileobj=io.BytesIO(context.getvalue()),
                custom_context=True,
                tag=tags[name],
                rm=True,
                decode=True,
            )
        )
        assert not [s for s in said if "error" in s], said
    yield tags
    for tag in tags.values():
        engine.remove_image(tag, force=True)


@pytest.mark.parametrize(
    ("fault", "seconds", "words"),
    [
        ("exits", 60.0, "the library is missing"),
        ("sleeps", 3.0, "was not ready within 3 s"),
        ("lies", 60.0, "does not answer as it was packaged"),
    ],
)
def test_a_release_that_cannot_serve_is_refused(model, broken, fault, seconds, words):
    before, version = model.state(), model.other
    bad = model.set(serving_image=broken[fault], deploy_timeout_seconds=seconds)
    with model.asked() as asked, pytest.raises(Refused, match=words):
        bad.deploy(version)
    assert asked.failures == []
    assert model.state() == before
    assert model.deploy(version).version == version, "the next run is free to try again"


def test_a_release_that_needs_too_much_memory_is_refused(standing):
    before = standing.state()
    with standing.asked() as asked, pytest.raises(Refused, match="out of memory"):
        standing.limited("16m").deploy(standing.other)
    assert asked.failures == []
    assert standing.state() == before


def test_a_missing_image_names_what_makes_it(model):
    before, version, release = model.state(), model.other, model.next_release
    bad = model.set(serving_image="perennial/never-built:latest")
    with (
        model.asked() as asked,
        pytest.raises(GiveUp, match=r"never-built.*make images.*PERENNIAL_SERVING_IMAGE"),
    ):
        bad.deploy(version, "without an image")
    assert asked.failures == []
    assert model.state() == before
    assert model.deploy(version, "without an image").release == release, (
        "the same run goes on when the image is there"
    )


# docker-py 7.2 does not close the socket that could not connect.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
def test_an_engine_that_is_away_is_tried_again(standing):
    before, version, release = standing.state(), standing.other, standing.next_release
    away = DockerTarget(engine=ReleaseEngine("unix:///nonexistent/docker.sock"))
    with standing.asked() as asked, pytest.raises(Unreachable, match="start the Docker engine"):
        standing.deploy(version, "without an engine", away)
    gc.collect()
    assert asked.failures == []
    assert standing.state() == before
    assert standing.deploy(version, "without an engine").release == release


def test_a_gateway_that_is_away_is_tried_again(standing):
    before, version, release = standing.state(), standing.other, standing.next_release
    standing.yard.restarted(running=False)
    try:
        with pytest.raises(Unreachable, match="start the gateway"):
            standing.deploy(version, "without a gateway")
    finally:
        standing.yard.restarted(running=True)
    assert standing.state() == before
    assert standing.deploy(version, "without a gateway").release == release


def test_a_name_that_is_taken_is_a_conflict(standing, engine):
    before, version, release = standing.state(), standing.other, standing.next_release
    name = container_name(standing.name, release)
    engine.create_container("perennial/serving:latest", name=name)
    try:
        with standing.asked() as asked, pytest.raises(Conflict, match=name):
            standing.deploy(version, "without a name")
        assert asked.failures == []
        assert standing.state() == before
        assert engine.inspect_container(name)["State"]["Status"] == "created", (
            "it is not ours to remove"
        )
    finally:
        engine.remove_container(name)
    assert standing.deploy(version, "without a name").release == release
