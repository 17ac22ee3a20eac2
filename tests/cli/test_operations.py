"""`doctor`, `backup`, `restore`, `verify`, `prune`: the real commands."""

from __future__ import annotations

import json
import os

import pytest

from pipelines.ledger.sql import SqlLedger
from pipelines.private_files import make_folder
from pipelines.settings import local_path
from pipelines.store.local import LocalStore
from tests.cli.commands import Completed, run_here, run_process
from tests.decisions import gate_verdict

NOBODY_ANSWERS = {"PERENNIAL_MLFLOW_PORT": "1", "PERENNIAL_AIRFLOW_PORT": "1"}


@pytest.fixture
def perennial(world):
    def run(*arguments: str, state: str = "var") -> Completed:
        own = {"PERENNIAL_STATE": str(world.home / state)}
        return run_here(world, arguments, **NOBODY_ANSWERS, **own)

    return run


def test_doctor_says_one_line_for_each_thing_and_its_exit_code_tells(perennial, world):
    result = run_process(world, ("doctor",), **NOBODY_ANSWERS)
    assert (result.returncode, result.stderr) == (0, "")
    *lines, end = result.stdout.splitlines()
    # The disk is the machine's own: it may be nearly full.
    other = [line for line in lines if "disk of the " not in line]
    assert len(other) > 10
    assert all(line.startswith("ok ") for line in other)
    assert " 0 problems, " in end
    secrets = world.settings.state / "secrets"
    make_folder(secrets)
    (secrets / "key").write_text("key")
    (secrets / "key").chmod(0o644)
    result = perennial("doctor", "--json")
    report = json.loads(result.stdout)
    assert (result.returncode, report["problems"]) == (1, 1)
    (wrong,) = [f for f in report["findings"] if f["state"] == "problem"]
    assert wrong["remedy"].startswith("chmod 600 ")


def test_backup_and_restore_by_command(perennial, world):
    ledger = SqlLedger(world.settings.ledger_url)
    refused = gate_verdict(verdict="refuse", reasons=["none"], version="", candidate="")
    ledger.append("sales", "run", refused)
    LocalStore(local_path(world.settings.store)).put(b"something")
    tar = str(world.home / "b.tar")
    result = perennial("backup", tar)
    assert result.returncode == 0, result.stderr
    assert "It holds keys" in result.stdout
    assert "ledger: 1 entry, chain intact" in result.stderr
    assert perennial("backup", tar).returncode == 65
    refused = perennial("restore", tar)
    assert (refused.returncode, "not empty" in refused.stderr) == (65, True)
    result = perennial("restore", tar, "--json", state="new")
    assert (result.returncode, json.loads(result.stdout)["ledger_entries"]) == (0, 1)
    listing = [
        json.loads(perennial("history", "sales", "--json", state=state).stdout)
        for state in ("var", "new")
    ]
    assert listing[0] == listing[1] != []


def test_verify_says_what_is_intact_and_what_it_cannot_see(perennial, world, tmp_path, monkeypatch):
    ledger = SqlLedger(world.settings.ledger_url)
    for n in range(3):
        ledger.append("sales", f"run{n}", gate_verdict())
    result = perennial("verify")
    assert result.returncode == 0, result.stderr
    assert "3 entries, chain intact" in result.stdout
    assert "rewritten as a whole" in result.stdout
    monkeypatch.setenv("PERENNIAL_LEDGER_ANCHOR", f"file://{tmp_path}/elsewhere/anchor")
    assert "remembers entry 3, the newest" in perennial("verify", "--set-anchor").stdout
    for file in (world.settings.state / "ledger").glob("ledger.db*"):
        file.unlink()
    SqlLedger(world.settings.ledger_url)
    result = perennial("verify", "--json")
    assert (result.returncode, result.stdout) == (65, "")
    assert "has no entry 3: its end was cut off" in result.stderr


def test_prune_looks_first_and_removes_with_yes(perennial, world):
    store = LocalStore(local_path(world.settings.store))
    orphan = store.path(store.put(b"nobody needs this"))
    os.utime(orphan, (0, 0))
    assert perennial("prune").returncode == 65  # without a ledger nobody knows what is needed
    SqlLedger(world.settings.ledger_url)
    result = perennial("prune")
    assert (result.returncode, orphan.exists()) == (0, True), result.stderr
    assert f"  {orphan.relative_to(local_path(world.settings.store))}" in result.stdout
    assert "Nothing was changed. `perennial prune --yes` removes these: 17 bytes." in result.stdout
    result = perennial("prune", "--yes", "--json")
    assert (json.loads(result.stdout)["bytes"], orphan.exists()) == (17, False)
    assert perennial("prune").stdout == "Nothing can go.\n"
    assert perennial("prune", "--older-than", "1h").returncode == 65
    assert perennial("prune", "--older-than", "soon").returncode == 65
