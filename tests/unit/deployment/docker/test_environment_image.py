"""The image that has the packages of an environment: built once, of what its base lacks."""

from __future__ import annotations

import tarfile

import pytest

from pipelines.deployment.docker.engine import Container, Image
from pipelines.deployment.docker.environment_image import ask_interpreter, with_packages
from pipelines.deployment.docker.names import environment_image, of_environment
from pipelines.environments.image_overlay import folder_of
from pipelines.environments.interpreter import describe_running
from pipelines.environments.resolution import resolve
from pipelines.errors import Corrupted, GiveUp
from pipelines.settings import Settings
from pipelines.store.memory import MemoryStore
from tests.wheels import Index, only_index

BASE = f"sha256:{'b' * 64}"
HERE = describe_running().model_copy(update={"glibc": "2.36"}).model_dump_json()


class Engine:
    """Builds what it is given and remembers it; its containers print what they are told to."""

    def __init__(self, says=HERE):
        self.says, self.built, self.containers, self.removed = says, {}, {}, []

    def image(self, name):
        return self.built.get(name)

    def images(self, _labels, *, untagged=False):
        assert untagged
        return [Image("sha256:torn", {})]

    def build(self, context, tag, labels):
        with tarfile.open(fileobj=context) as tar:
            self.files = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
        self.built[tag] = Image(f"sha256:{tag}", labels)
        return self.built[tag]

    def remove_image(self, name):
        self.removed.append(name)

    def create(self, name, image, network, host, *, labels, entrypoint):
        assert (image, network, host["read_only"], host["cap_drop"]) == (
            BASE,
            "none",
            True,
            ["ALL"],
        )
        assert entrypoint[:2] == ["python", "-m"]
        self.containers[name] = labels

    def start(self, name):
        assert name in self.containers

    def container(self, name):
        state = {"restarting": False, "restarts": 0, "out_of_memory": False, "trouble": ""}
        return Container(name, name, BASE, {}, {}, running=False, exit_code=3, **state)

    def logs(self, _name, _lines):
        return self.says

    def remove(self, name):
        del self.containers[name]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    index = Index(tmp_path_factory.mktemp("index") / "simple")
    index.add("pnclock", "1.0")
    for _ in only_index(index.url):
        yield index


@pytest.fixture
def store(index):
    return MemoryStore()


@pytest.fixture
def record(store):
    return resolve(["pnclock==1.0"], store)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, state=tmp_path / "state")


def test_it_is_the_base_with_the_packages_and_is_built_once(record, store, settings):
    engine, root = Engine(), f"root/packages/{folder_of(record)}"
    image = with_packages(engine, settings, store, BASE, record)
    assert engine.files["Dockerfile"].startswith(f"FROM {BASE}\nLABEL ".encode())
    assert engine.files["Dockerfile"].endswith(b"\nCOPY root/ /\n")
    assert engine.files[f"{root}/site/pnclock/__init__.py"] == b"VERSION = '1.0'\n"
    assert f"{root}/record.json" in engine.files
    assert engine.built[environment_image(record, BASE)].labels == of_environment(record, BASE)
    assert (engine.containers, engine.removed) == ({}, ["sha256:torn"])
    engine.says = "nothing is asked any more"
    for _ in only_index("http://127.0.0.1:9/simple"):
        assert with_packages(engine, settings, store, BASE, record) == image


def test_a_base_that_does_not_tell_what_it_has_is_refused_and_its_container_removed():
    engine = Engine(says="/usr/bin/python: No module named pipelines.environments.interpreter")
    with pytest.raises(GiveUp, match=r"exit code 3.*No module named") as caught:
        ask_interpreter(engine, BASE)
    assert (engine.containers, "make images" in caught.value.remedy) == ({}, True)


def test_a_package_that_is_not_what_was_resolved_is_never_built_in(
    record, store, settings, index, tmp_path
):
    evil = Index(tmp_path / "evil").add("pnclock", "1.0", {"pnclock/__init__.py": "EVIL = 1\n"})
    (index.root / "pnclock" / evil.name).write_bytes(evil.read_bytes())
    engine = Engine()
    with pytest.raises(Corrupted, match="not what was resolved"):
        with_packages(engine, settings, store, BASE, record)
    assert (engine.built, engine.containers) == ({}, {})
