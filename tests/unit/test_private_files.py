"""What is made is its owner's alone, whatever the user's umask is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from pipelines.ledger.sql import SqlLedger
from pipelines.private_files import make_folder
from pipelines.store.local import LocalStore
from tests.contracts.processes import HOME
from tests.decisions import gate_verdict


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder):
    return {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
    }


def test_missing_folders_are_made_closed_and_others_stay(tmp_path, open_umask):
    (tmp_path / "there").mkdir(mode=0o755)
    make_folder(tmp_path / "there" / "a" / "b")
    make_folder(tmp_path / "there" / "a" / "b")
    assert modes(tmp_path) == {"there": 0o755, "there/a": 0o700, "there/a/b": 0o700}


def test_the_store_and_the_ledger_close_what_they_make(tmp_path, open_umask):
    store = LocalStore(tmp_path / "store")
    store.put(b"rows")
    store.publish("pages/m/k", b"1")
    segment = store.open_segment("inference/m/predictions/a")
    segment.append(b"line\n")
    SqlLedger(f"sqlite:///{tmp_path}/ledger/ledger.db").append("m", "k", gate_verdict())
    modes_by_path = modes(tmp_path)
    assert len(modes_by_path) > 12
    assert {name: oct(mode) for name, mode in modes_by_path.items() if mode & 0o077} == {}
    segment.close()


@pytest.mark.parametrize(
    "command", [["-m", "pipelines", "ingest", "sales", "--as-of", "2024-01-03"], ["-m", "serving"]]
)
def test_our_processes_set_the_umask_before_they_make_anything(command, tmp_path):
    """Seen by a library that names no mode: the program ends when it asks for the settings."""
    spy = "import os, runpy, sys; from pipelines import settings\n"
    spy += "settings.load_settings = lambda *_: (print(oct(os.umask(0))), os._exit(0))\n"
    spy += (
        f"sys.argv = {command[1:]!r}; runpy.run_module({command[1]!r}, run_name='__main__',"
        " alter_sys=True)"
    )
    environ = {**os.environ, "PYTHONPATH": str(HOME), "PERENNIAL_STATE": str(tmp_path)}
    process = subprocess.run(
        [sys.executable, "-c", spy],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )
    assert process.stdout == "0o77\n", process.stderr


def test_what_supervisord_starts_sets_it_too(tmp_path):
    command = [
        sys.executable,
        "-m",
        "stack.launch",
        str(tmp_path),
        "probe",
        sys.executable,
        "-c",
        "import os; print(oct(os.umask(0)))",
    ]
    process = subprocess.run(
        command, cwd=HOME, capture_output=True, text=True, check=True, umask=0o022
    )
    assert process.stdout == "0o77\n"
