"""A composed stack backed up while it runs, lost with all its volumes and containers, and restored
into an empty one that goes on."""

from __future__ import annotations

import re

import pytest

from tests.docker.composed import as_json

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_a_lost_stack_is_restored_and_goes_on(engine, up):
    stack = up
    stack.first_release()
    serves = stack.predict().json()["version"]
    before = as_json(stack.perennial("history", "flight_delays", "--json"))
    done = stack.compose("run", "--rm", "perennial", "backup", "/backups/one.tar", "--json")
    assert done.returncode == 0, done.stderr
    made = as_json(done.stdout)
    assert re.search(r"artifacts: \d+ files", done.stderr), "what MLflow shows of its runs"
    assert made["databases"] == {
        "ledger": "postgresql",
        "mlflow": "postgresql",
        "airflow": "postgresql",
    }
    assert (stack.backups / "one.tar").stat().st_mode & 0o077 == 0

    stack.down(engine)
    assert engine.volumes(filters={"name": stack.project})["Volumes"] in (None, [])
    assert stack.compose("up", "-d", "--wait", "postgres").returncode == 0
    assert as_json(stack.perennial("restore", "/backups/one.tar", "--json"))[
        "ledger_entries"
    ] == len(before)
    again = stack.compose("run", "--rm", "perennial", "restore", "/backups/one.tar")
    assert again.returncode != 0
    assert "is not empty" in again.stderr

    stack.up()
    stack.perennial("reconcile", "flight_delays")
    answer = stack.predict()
    assert (answer.status_code, answer.json()["version"]) == (200, serves), answer.text
    found = as_json(stack.perennial("doctor", "--json"))
    assert [finding for finding in found["findings"] if finding["state"] == "problem"] == []
    after = as_json(stack.perennial("history", "flight_delays", "--json"))
    assert after[: len(before)] == before
    assert [entry["kind"] for entry in after[len(before) :]] in ([], ["reconciled"])

    stack.retrain(as_of="2013-06-01T00:00:00Z")
    assert stack.predict().status_code == 200
    assert "chain intact" in stack.perennial("history", "flight_delays")
