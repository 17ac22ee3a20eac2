"""`perennial rebuild`: a version built again, as people and as programs see it."""

import json
import shutil

import pytest

from pipelines.ledger import Proof, ReleaseIntent
from pipelines.refs import Ref
from tests.cli.commands import run_here
from tests.worlds import World, make_world

STEPS = ("ingest", "validate", "features", "train", "gate", "package")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A world with a version that was released, in the ports of an installation."""
    world = make_world(tmp_path_factory.mktemp("rebuild") / "home")
    for step in STEPS:
        as_of = ["--as-of", "2024-01-05"] if step == "ingest" else []
        done = run_here(world, (step, "sales", *as_of, "--json"))
        assert done.returncode == 0, done.stderr
    packaged = Ref.model_validate(json.loads(done.stdout)["bundle"])
    intent = ReleaseIntent(number=1, version="1", bundle=packaged, reason="a test")
    world.context().ports.ledger.append("sales", "r1", intent)
    return world


def proofs(world):
    return [e.read(Proof) for e in world.context().ports.ledger.entries("sales", "proof")]


def test_people_are_told_that_it_is_equal_and_the_ledger_may_be_too(released):
    done = run_here(released, ("rebuild", "sales", "1", "--record"), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "Version 1 of sales came out equal: " in done.stdout
    assert "different:" not in done.stdout
    assert [(p.version, p.verdict) for p in proofs(released)] == [("1", "equal")]
    history = run_here(released, ("history", "sales"), COLUMNS="200").stdout
    assert "version 1 was built again and is equal" in history


def test_of_a_changed_folder_the_first_difference_is_named_and_the_exit_code_tells(released):
    path = released.home / "models/sales/model.yaml"
    text = path.read_text()
    path.write_text(text.replace("C: [0.1, 1.0]", "C: [0.2, 1.1]"))
    before = len(proofs(released))
    try:
        done = run_here(released, ("rebuild", "sales", "1", "--from-folder", "--json"))
        said = run_here(released, ("rebuild", "sales", "1"), COLUMNS="200")
    finally:
        path.write_text(text)
    figures = json.loads(done.stdout)
    assert (done.returncode, figures["verdict"]) == (65, "different")
    assert figures["differences"][0].startswith("training: params: C: recorded 1.0")
    assert figures["causes"] == ["models/sales/model.yaml is not what it was"]
    assert said.returncode == 0, "what was recorded is built"
    assert "models/sales/model.yaml: not as they were" in said.stdout
    assert len(proofs(released)) == before


@pytest.mark.parametrize("gone", [False, True], ids=["damaged", "gone"])
def test_recorded_features_that_nobody_can_read_are_a_difference(released, tmp_path, gone):
    shutil.copytree(released.home, tmp_path / "home", symlinks=True)
    world = World(tmp_path / "home")
    versions = world.settings.versions
    for folder in (versions / "repo/.dvc/cache", versions / "repo/features"):
        shutil.rmtree(folder, ignore_errors=True)
    for path in [path for path in (versions / "remote").rglob("*") if path.is_file()]:
        path.chmod(0o600)
        path.unlink() if gone else path.write_bytes(b"x" + path.read_bytes())
    done = run_here(world, ("rebuild", "sales", "1", "--json"))
    assert done.returncode == 65, done.stderr
    figures = json.loads(done.stdout)
    assert figures["differences"]
    assert all("the recorded ones cannot be read" in text for text in figures["differences"])
    assert figures["identical"] == figures["rows"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("9",), "has no version '9'"),
        (("1", "--from-folder", "--record"), "leave one of them out"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(released, arguments, words):
    done = run_here(released, ("rebuild", "sales", *arguments))
    assert done.returncode == 65
    assert words in done.stderr
