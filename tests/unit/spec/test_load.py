"""Loading specs: one model at a time, whatever lies beside it."""

import json
import os
import socket
import subprocess
import sys

import jsonschema
import pytest
import yaml

from pipelines.errors import SpecError
from pipelines.spec import json_schema, load_all, load_spec, model_names, parse_spec
from tests.conftest import ROOT
from tests.worlds import SPEC


def test_a_number_with_an_exponent_is_a_number():
    """YAML 1.1 takes 1e-4 for a text."""
    spec = parse_spec(
        SPEC.replace("C: [0.1, 1.0]", "C: [1e-4, 1E+2]").encode(), "models/sales/model.yaml"
    )
    assert spec.candidates[1].search["C"] == [1e-4, 100.0]


def test_a_spec_is_frozen_and_says_the_same_again(world):
    spec = load_spec(world.settings.models, "sales")
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"
    again = parse_spec(json.dumps(spec.model_dump(mode="json")).encode(), "dumped")
    assert again == spec


def test_a_broken_spec_breaks_only_itself(world):
    other = world.home / "models" / "other"
    other.mkdir()
    (other / "model.yaml").write_text("name: other\n")
    good, broken = load_all(world.settings.models)
    assert list(good) == ["sales"]
    assert "models/other/model.yaml:1: owner: missing" in str(broken["other"])


def _fifo(path):
    os.mkfifo(path)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda path: path.mkdir(), "is a folder", id="a folder"),
        pytest.param(_fifo, "is a named pipe", id="a named pipe"),
        pytest.param(_socket, "is a socket", id="a socket"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "is a device", id="a device"),
        pytest.param(
            lambda path: path.symlink_to("gone"), "is a link to nothing", id="a dangling link"
        ),
        pytest.param(
            lambda path: path.symlink_to(path.name),
            "cannot be read: Too many levels",
            id="a link to itself",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"name: caf\xe9"), "no UTF-8", id="another encoding"
        ),
        pytest.param(lambda path: path.write_bytes(b""), "keys and values", id="empty"),
        pytest.param(
            lambda path: path.write_text(
                SPEC.replace("2024-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00")
            ),
            "source.first: must lie between the years",
            id="a time before all times",
        ),
    ],
)
def test_whatever_a_model_file_is_it_breaks_only_its_model(world, make, words):
    folder = world.home / "models" / "other"
    folder.mkdir()
    make(folder / "model.yaml")
    good, broken = load_all(world.settings.models)
    assert (list(good), list(broken)) == (["sales"], ["other"])
    assert words in str(broken["other"])
    assert "models/other/model.yaml" in str(broken["other"])


def test_a_file_that_may_not_be_read_breaks_only_its_model(world, monkeypatch):
    """Root may read everything, so the system's refusal is played."""
    other = world.home / "models" / "other"
    other.mkdir()
    (other / "model.yaml").write_text("name: other")
    real = os.open

    def refuse(path, *rest, **more):
        if "other" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    good, broken = load_all(world.settings.models)
    assert (list(good), list(broken)) == (["sales"], ["other"])
    assert "cannot be read: Permission denied" in str(broken["other"])


@pytest.mark.parametrize(
    "name", ["Sales 2", "sales-2", "1st", "ümlaut", "x" * 49, "sale\nspec", b"sal\xe9"]
)
def test_a_folder_whose_name_is_no_models_name_breaks_only_itself(world, name):
    folder = world.home / "models" / os.fsdecode(name)
    folder.mkdir()
    (folder / "model.yaml").write_text(SPEC)
    good, broken = load_all(world.settings.models)
    assert list(good) == ["sales"]
    [(shown, error)] = broken.items()
    assert "is no model's name" in str(error)
    assert (shown + str(error)).encode()


def test_what_is_no_model_is_passed_over(world):
    models = world.home / "models"
    for name in (".ipynb_checkpoints", "empty"):
        (models / name).mkdir()
    (models / ".ipynb_checkpoints" / "model.yaml").write_text("old")
    (models / "README.md").write_text("x")
    assert model_names(models) == ["sales"]
    (models / "moved").symlink_to("/nowhere/at/all")
    assert model_names(models) == ["moved", "sales"]
    assert "link to nothing" in str(load_all(models)[1]["moved"])
    assert model_names(models, lambda name: name != "sales") == ["moved"]
    assert model_names(models / "none") == []
    with pytest.raises(SpecError, match=r"README\.md/ cannot be listed"):
        model_names(models / "README.md")


def test_a_model_is_loaded_without_a_look_at_the_others(world, monkeypatch):
    """With a thousand models it took a thousand listings of a thousand folders."""
    monkeypatch.setattr(
        os, "scandir", lambda *_: pytest.fail("the folder of all models was listed")
    )
    assert load_spec(world.settings.models, "sales").name == "sales"


def test_an_unknown_model_gets_a_suggestion(world):
    with pytest.raises(SpecError, match="did you mean 'sales'"):
        load_spec(world.settings.models, "sale")


def test_the_folder_names_the_model(world):
    world.respec("name: sales", "name: shop")
    with pytest.raises(SpecError, match="write `name: sales`"):
        load_spec(world.settings.models, "sales")


def test_the_json_schema_takes_the_shipped_models_and_refuses_a_typo():
    schema = json_schema()
    for path in (ROOT / "models").glob("*/model.yaml"):
        body = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
        jsonschema.validate(body, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**body, "typo": 1}, schema)


def test_loading_specs_imports_no_heavy_library():
    code = (
        "import sys; from pathlib import Path; from pipelines.spec import load_all;"
        " load_all(Path('models'));heavy = {'pandas', 'numpy', 'sklearn', 'mlflow',"
        " 'great_expectations', 'evidently', 'dvc', 'pyarrow', 'ibis'} &"
        " set(sys.modules);print(sorted(heavy)); sys.exit(bool(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
