"""A release is a container behind the gateway.

Whatever fails or is cut off, somebody always answers, and nothing is left over.
"""

from __future__ import annotations

import gc
import io
import tarfile
import threading
from datetime import UTC, datetime

import httpx
import pytest

from pipelines.deployment.docker.engine import ReleaseEngine, engine_for
from pipelines.deployment.docker.gateway import Gateway
from pipelines.deployment.docker.names import container_name, image_name
from pipelines.deployment.docker_target import KEPT, DockerTarget
from pipelines.deployment.orders import carry_out, reconcile
from pipelines.errors import Conflict, Corrupted, GiveUp, PerennialError, Refused, Unreachable
from pipelines.messages import RollbackRequest
from pipelines.steps import rollback
from tests.docker.deployments import ENGINE, ROW, gateway_yard

pytestmark = [pytest.mark.engine, pytest.mark.slow]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAULTS = {
    "exits": b'ENTRYPOINT ["sh", "-c", "echo the library is missing >&2; exit 3"]\n',
    "sleeps": b'ENTRYPOINT ["sleep", "600"]\n',
    "lies": b"COPY sitecustomize.py /app/\n",
}
LIE = b"""
from serving.loaded_release import Served
true = Served.predictions
Served.predictions = lambda self, rows: [answer / 2 for answer in true(self, rows)]
"""


@pytest.fixture(scope="module")
def yard(engine, tmp_path_factory):
    for needed in ("perennial/serving:latest", "perennial/gateway:latest"):
        if ReleaseEngine(ENGINE).image(needed) is None:
            pytest.fail(f"there is no image {needed}: run `make images`")
    with gateway_yard(engine, tmp_path_factory.mktemp("yard")) as found:
        yield found


@pytest.fixture
def model(yard):
    """A model whose version 1 serves as release 1."""
    found = yard.model()
    try:
        found.deploy("1")
        yield found
    finally:
        found.remove()


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


class Cut(BaseException):
    """The process dies here."""


class CutAt:
    """Somebody whose method `name` is the last thing that happens.

    Cut off before it, or behind it.
    """

    def __init__(self, inner, name, *, behind):
        self._inner, self._name, self._behind = inner, name, behind

    def __getattr__(self, attribute):
        method = getattr(self._inner, attribute)
        if attribute != self._name:
            return method

        def cut(*args, **kwargs):
            if self._behind:
                method(*args, **kwargs)
            raise Cut

        return cut


class TornGateway(Gateway):
    """Cut off between the routes' file and the running gateway."""

    def _send(self, command):
        if command.startswith(("set map", "add map")):
            raise Cut
        return super()._send(command)


def left_alone(model):
    """Nothing of release 2 is left, and release 1 serves."""
    assert model.says() == (1, "1")
    assert model.containers() == {1: "running"}
    assert model.images() == [image_name(model.name, 1)]
    assert model.champion == "1"


def test_a_release_replaces_another_and_no_request_fails(model):
    with model.asked() as asked:
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


@pytest.mark.parametrize(
    ("fault", "seconds", "words"),
    [
        ("exits", 60.0, "the library is missing"),
        ("sleeps", 3.0, "was not ready within 3 s"),
        ("lies", 60.0, "does not answer as it was packaged"),
    ],
)
def test_a_release_that_cannot_serve_is_refused(model, broken, fault, seconds, words):
    bad = model.set(serving_image=broken[fault], deploy_timeout_seconds=seconds)
    with model.asked() as asked, pytest.raises(Refused, match=words):
        bad.deploy("2")
    assert asked.failures == []
    left_alone(model)
    assert model.deploy("2").version == "2", "the next run is free to try again"


def test_a_release_that_needs_too_much_memory_is_refused(model):
    with model.asked() as asked, pytest.raises(Refused, match="out of memory"):
        model.limited("16m").deploy("2")
    assert asked.failures == []
    left_alone(model)


def test_a_missing_image_names_what_makes_it(model):
    bad = model.set(serving_image="perennial/never-built:latest")
    with (
        model.asked() as asked,
        pytest.raises(GiveUp, match=r"never-built.*make images.*PERENNIAL_SERVING_IMAGE"),
    ):
        bad.deploy("2", "once")
    assert asked.failures == []
    left_alone(model)
    assert model.deploy("2", "once").release == 2, "the same run goes on when the image is there"


# docker-py 7.2 does not close the socket that could not connect.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
def test_an_engine_that_is_away_is_tried_again(model):
    away = DockerTarget(engine=ReleaseEngine("unix:///nonexistent/docker.sock"))
    with model.asked() as asked, pytest.raises(Unreachable, match="start the Docker engine"):
        model.deploy("2", "once", away)
    gc.collect()
    assert asked.failures == []
    left_alone(model)
    assert model.deploy("2", "once").release == 2


def test_a_gateway_that_is_away_is_tried_again(model):
    model.yard.restarted(running=False)
    try:
        with pytest.raises(Unreachable, match="start the gateway"):
            model.deploy("2", "once")
    finally:
        model.yard.restarted(running=True)
    left_alone(model)
    assert model.deploy("2", "once").release == 2


def test_a_gateway_that_starts_anew_knows_the_routes(model):
    model.deploy("2")
    model.yard.restarted(running=False)
    model.yard.restarted(running=True)
    assert model.says() == (2, "2")


def test_a_name_that_is_taken_is_a_conflict(model, engine):
    name = container_name(model.name, 2)
    engine.create_container("perennial/serving:latest", name=name)
    try:
        with model.asked() as asked, pytest.raises(Conflict, match=name):
            model.deploy("2", "once")
        assert asked.failures == []
        left_alone(model)
        assert engine.inspect_container(name)["State"]["Status"] == "created", (
            "it is not ours to remove"
        )
    finally:
        engine.remove_container(name)
    assert model.deploy("2", "once").release == 2


CUTS = [
    ("engine", "build", True),
    ("engine", "create", True),
    ("engine", "start", True),
    ("gateway", "lead", False),
    ("gateway", "lead", True),
    ("torn", "", True),
    ("ledger", "crown", False),
    ("ledger", "crown", True),
    ("engine", "stop", False),
    ("engine", "stop", True),
]


def cut_off(model, who, method, *, behind):
    """Deploy version 2 in the run `once`, and die there."""
    engine, gateway, cut = engine_for(model.context.settings), Gateway(model.yard.folder), model
    if who == "engine":
        engine = CutAt(engine, method, behind=behind)
    elif who == "gateway":
        gateway = CutAt(gateway, method, behind=behind)
    elif who == "torn":
        gateway = TornGateway(model.yard.folder)
    else:
        cut = model.with_ledger(CutAt(model.context.ports.ledger, method, behind=behind))
    with pytest.raises(Cut):
        cut.deploy("2", "once", DockerTarget(engine, gateway))


ALWAYS = [
    ("engine", "start", True),
    ("gateway", "lead", True),
    ("torn", "", True),
    ("ledger", "crown", False),
    ("ledger", "crown", True),
]
"""The cuts that are made in CI too; ten seconds each."""


@pytest.mark.parametrize(
    ("who", "method", "behind"),
    [c if c in ALWAYS else pytest.param(*c, marks=pytest.mark.long) for c in CUTS],
)
def test_cut_off_anywhere_the_retry_goes_on(model, who, method, behind):
    order = model.order("2", "once")
    with model.asked() as asked:
        cut_off(model, who, method, behind=behind)
        assert model.says() in {(1, "1"), (2, "2")}
        assert carry_out(model.context, order, DockerTarget()).version == "2"
    assert asked.failures == []
    assert model.says() == (2, "2")
    assert model.containers() == {1: "exited", 2: "running"}
    assert model.images() == [image_name(model.name, 1), image_name(model.name, 2)]


@pytest.mark.parametrize(
    ("who", "method", "behind"),
    [c if c in ALWAYS[2:] else pytest.param(*c, marks=pytest.mark.long) for c in CUTS],
)
def test_cut_off_anywhere_reconciling_follows_the_champion(model, who, method, behind):
    with model.asked() as asked:
        cut_off(model, who, method, behind=behind)
        reconcile(model.context, DockerTarget())
        assert reconcile(model.context, DockerTarget()) == []
    assert asked.failures == []
    if model.champion == "1":
        left_alone(model)
    else:
        assert model.says() == (2, "2")
        assert model.containers() == {1: "exited", 2: "running"}


def test_a_first_deployment_that_dies_is_put_away_by_the_next(yard):
    found = yard.model()
    try:
        cut_off(found, "ledger", "crown", behind=False)
        found.deploy("1", "another")
        assert found.says() == (2, "1")
        assert found.containers() == {2: "running"}
        assert found.images() == [image_name(found.name, 2)]
    finally:
        found.remove()


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
    engine.stop(name, timeout=10)
    if lost != "stopped":
        engine.remove_container(name)
    if lost == "image removed":
        engine.remove_image(image_name(model.name, 1))
    assert httpx.get(f"{model.yard.url}/models/{model.name}").status_code == 503
    words = reconcile(model.context, DockerTarget())
    assert len(words) == 1
    assert name in words[0]
    left_alone(model)
    assert engine.inspect_image(image_name(model.name, 1))["RootFS"]["Layers"] == layers, (
        "the same release gives the same bytes"
    )
    assert reconcile(model.context, DockerTarget()) == []


def test_only_the_newest_stopped_containers_are_kept(model):
    for number in range(2, KEPT + 4):
        model.deploy("12"[number % 2 == 0])
    assert model.containers() == {
        KEPT + 3: "running",
        **dict.fromkeys(range(3, KEPT + 3), "exited"),
    }
