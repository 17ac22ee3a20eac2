"""The locked environment: what it names, and who it refuses."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

STACK = (
    "apache-airflow",
    "apache-airflow-providers-docker",
    "dvc",
    "mlflow",
    "great-expectations",
    "evidently",
    "scikit-learn",
    "pandas",
)


@pytest.mark.parametrize(
    "lock", ["requirements.txt", "requirements-dev.txt", "requirements-tools.txt"]
)
def test_every_package_is_pinned_with_hashes_and_no_registry_is_named(lock):
    text = (ROOT / lock).read_text()
    assert "://" not in text
    packages = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)(\[[a-z0-9,-]+\])?==\S+(?: ; [^\\]+)? \\\n    --hash=sha256:",
        text,
        flags=re.MULTILINE,
    )
    assert len(packages) == len(re.findall(r"^[a-z0-9]", text, flags=re.MULTILINE))


def test_the_stack_is_named_in_full():
    requirements = (ROOT / "requirements.in").read_text()
    locked = (ROOT / "requirements.txt").read_text()
    for package in STACK:
        assert re.search(rf"^{package}\b", requirements, flags=re.MULTILINE), package
        assert re.search(rf"^{package}==", locked, flags=re.MULTILINE), package


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder with what makes the environment, and nothing made yet."""
    for name in ("requirements.txt", "requirements-tools.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    return tmp_path


def fake_python(folder: Path, version: str) -> Path:
    path = folder / f"python-{version}"
    path.write_text(f'#!/bin/sh\ncase "$2" in *platform*) echo {version};; *) exit 1;; esac\n')
    path.chmod(0o755)
    return path


def test_other_pythons_are_refused_clearly(checkout):
    python = fake_python(checkout, "3.10.13")
    command = [
        "sh",
        "tools/venv.sh",
        "requirements.txt",
        "--",
        str(python),
        "python-that-is-not-there",
    ]
    process = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert process.returncode == 65
    assert "Perennial needs Python 3.11, 3.12 or 3.13" in process.stderr
    assert "(3.10.13)" in process.stderr
    assert "(not there)" in process.stderr
    assert not (checkout / ".venv").exists()


VENV = ("sh", "tools/venv.sh", "requirements.txt", "--", "python-that-is-not-there")


def write_stamp(checkout: Path, file: str, stamp: str) -> None:
    """Say in .venv that a file's present content is what was installed."""
    tell = f"cat {file} requirements-tools.txt | cksum | tr ' ' '-' > .venv/.installed-{stamp}"
    subprocess.run(["sh", "-c", tell], cwd=checkout, check=True)


@pytest.fixture
def made(checkout) -> Path:
    """A checkout whose environment is made; its installer notes what it is asked."""
    installer = checkout / ".venv" / "bin" / "uv"
    installer.parent.mkdir(parents=True)
    installer.write_text('#!/bin/sh\necho "$@" >> .venv/asked\n')
    installer.chmod(0o755)
    write_stamp(checkout, "requirements.txt", "requirements.txt")
    write_stamp(checkout, "pyproject.toml", "itself")
    return checkout


def asked(checkout: Path) -> list[str]:
    """Make the environment once more; return all that the installer was asked."""
    assert subprocess.run(VENV, cwd=checkout, check=False).returncode == 0
    notes = checkout / ".venv" / "asked"
    return notes.read_text().splitlines() if notes.exists() else []


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("# another line\n")


def test_nothing_is_done_while_locks_and_project_are_the_same(made):
    assert asked(made) == []
    append(made / "requirements.txt")
    assert subprocess.run(VENV, cwd=made, capture_output=True, check=False).returncode == 65


def test_a_changed_project_is_installed_again_once_and_no_package_with_it(made):
    """Its command and its version stand in pyproject.toml."""
    append(made / "pyproject.toml")
    for _ in range(2):
        (installation,) = asked(made)
        assert installation.endswith("-e .")
        assert "--no-deps" in installation
        assert "-r" not in installation.split()


def test_an_environment_from_before_is_brought_up_to_date(made):
    (made / ".venv" / ".installed-itself").unlink()
    assert len(asked(made)) == 1


@pytest.mark.parametrize("changed", ["requirements.txt", "pyproject.toml"])
def test_nothing_is_installed_into_the_environment_of_another_checkout(made, tmp_path, changed):
    theirs = tmp_path / "theirs"
    (made / ".venv").rename(theirs)
    (made / ".venv").symlink_to(theirs)
    assert asked(made) == [], "it serves while it is the same"
    before = {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file()}
    append(made / changed)
    process = subprocess.run(VENV, cwd=made, capture_output=True, text=True, check=False)
    assert process.returncode == 65
    assert f".venv is a link to {theirs}" in process.stderr
    assert "rm .venv, and the same command again" in process.stderr
    assert {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file()} == before


def test_a_link_to_nowhere_is_no_place_to_install(made):
    shutil.rmtree(made / ".venv")
    (made / ".venv").symlink_to("nowhere")
    process = subprocess.run(VENV, cwd=made, capture_output=True, text=True, check=False)
    assert process.returncode == 65
    assert "rm .venv" in process.stderr
    assert not (made / "nowhere").exists()
