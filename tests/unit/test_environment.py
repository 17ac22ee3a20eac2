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
    for name in ("requirements.txt", "requirements-tools.txt"):
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


def test_nothing_is_done_while_the_locks_are_the_same(checkout):
    (checkout / ".venv").mkdir()
    stamp = subprocess.run(
        ["sh", "-c", "cat requirements.txt requirements-tools.txt | cksum | tr ' ' '-'"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    (checkout / ".venv" / ".installed-requirements.txt").write_text(stamp.stdout)
    command = ["sh", "tools/venv.sh", "requirements.txt", "--", "python-that-is-not-there"]
    assert subprocess.run(command, cwd=checkout, check=False).returncode == 0
    with (checkout / "requirements.txt").open("a") as lock:
        lock.write("# another lock\n")
    assert subprocess.run(command, cwd=checkout, capture_output=True, check=False).returncode == 65
