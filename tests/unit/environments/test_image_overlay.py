"""Packages for the Python of an image: what that lacks, and held against their hashes there."""

import pytest

from pipelines.environments.image_overlay import folder_of, new_overlay
from pipelines.environments.interpreter import Interpreter, describe_running
from pipelines.environments.ready import paths, read_lock
from pipelines.environments.record import running_python
from pipelines.environments.recorded_files import SITE, find_damage
from pipelines.environments.resolution import resolve
from pipelines.errors import Conflict, Corrupted, GiveUp, Refused
from tests.wheels import only_index

IMAGE = Interpreter(
    python="cpython-312-x86_64-linux-gnu",
    version="3.12",
    machine="x86_64",
    glibc="2.36",
    packages={"pnhand": "2.0"},
)


@pytest.fixture(scope="module", autouse=True)
def _packages(index):
    index.add("pnclock", "1.0", {"pnclock/__init__.py": "TICK = 1\n"}, needs=["pnhand==2.0"])
    index.add("pnhand", "2.0")


@pytest.fixture
def record(store):
    return resolve(["pnclock==1.0"], store)


@pytest.fixture
def image(record, store, settings, tmp_path):
    """The settings of a process in an image that brings the packages."""
    folder = tmp_path / "packages"
    with new_overlay(settings, read_lock(record, store), IMAGE) as new:
        new.rename(folder_of_image := tmp_path / folder_of(record))
    folder.mkdir()
    folder_of_image.rename(folder / folder_of(record))
    return settings.replace(packages=folder)


def test_an_image_gets_what_it_lacks_and_no_bytecode(record, store, settings):
    with new_overlay(settings, read_lock(record, store), IMAGE) as folder:
        names = {path.name for path in (folder / SITE).rglob("*")}
        assert find_damage(folder, thorough=True) == ""
    assert {"pnclock", "pnclock-1.0.dist-info"} <= names
    assert not names & {"pnhand", "__pycache__", ".lock"}
    assert not folder.exists()


def test_one_that_has_all_gets_an_empty_folder_and_nobody_is_asked(record, store, settings):
    has_all = IMAGE.model_copy(update={"packages": {"pnhand": "2.0", "pnclock": "1.0"}})
    for _ in only_index("http://127.0.0.1:9/simple"):
        with new_overlay(settings, read_lock(record, store), has_all) as folder:
            assert list((folder / SITE).iterdir()) == []


def test_another_version_in_the_image_is_a_conflict(record, store, settings):
    other = IMAGE.model_copy(update={"packages": {"pnhand": "1.0"}})
    with (
        pytest.raises(Conflict, match=r"needs pnhand 2\.0, but 1\.0 is installed in the image"),
        new_overlay(settings, read_lock(record, store), other),
    ):
        pass


def test_what_a_killed_builder_left_is_removed(record, store, settings):
    left = settings.state / "environments" / ".image.left"
    left.mkdir(parents=True)
    with new_overlay(settings, read_lock(record, store), IMAGE):
        assert not left.exists()


def test_within_the_image_its_packages_are_taken_and_nothing_is_installed(image, record, store):
    for _ in only_index("http://127.0.0.1:9/simple"):
        (site,) = paths(record, image, store)
    assert site == str(image.packages / folder_of(record) / SITE)
    assert not (image.state / "environments" / "record.json").exists()


def test_a_changed_file_is_named_before_anything_is_imported(image, record, store):
    file = image.packages / folder_of(record) / SITE / "pnclock" / "__init__.py"
    file.write_text("TICK = 2\n")
    with pytest.raises(Corrupted, match=r"in this image: pnclock/__init__\.py was changed"):
        paths(record, image, store)


def test_an_image_without_them_is_refused_by_name(record, store, settings, tmp_path):
    bare = settings.replace(packages=tmp_path / "none")
    with pytest.raises(Refused, match=r"no packages of environment .* \(pnclock==1\.0\)") as caught:
        paths(record, bare, store)
    assert "PERENNIAL_TARGET=docker" in caught.value.remedy


def test_an_interpreter_tells_what_it_is():
    found = describe_running()
    assert found.python == running_python()
    assert found.packages["packaging"]


@pytest.mark.parametrize(
    ("glibc", "name"), [("2.36", "36"), ("2.45", "40"), ("2.30", "28"), ("2.17", "17")]
)
def test_wheels_are_those_of_the_images_c_library(glibc, name):
    assert IMAGE.model_copy(update={"glibc": glibc}).platform == f"x86_64-manylinux_2_{name}"


@pytest.mark.parametrize("glibc", ["", "2.5"])
def test_a_c_library_without_wheels_is_refused(glibc):
    with pytest.raises(GiveUp, match="no wheels"):
        _ = IMAGE.model_copy(update={"glibc": glibc}).platform
