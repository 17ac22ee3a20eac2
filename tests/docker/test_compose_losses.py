"""What the composed stack loses: all of its volumes and containers, and then, by `docker kill`,
one part after the other while a run is at work and traffic comes in.

It is restored from a backup into an empty one and goes on; the parts come back, the run ends well,
nothing answered is lost.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
import uuid

import httpx
import pytest

from tests.docker.composed import RETRAIN, as_json, predict
from tests.docker.sales import SECOND_DAY

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1800)]
VICTIMS = ("gateway", "mlflow", "postgres", "scheduler", "release")
PAUSE_SECONDS = 12
BACK_SECONDS = 90


class Traffic(threading.Thread):
    """Asks all the time, each request under an id of its own; remembers which were answered."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack = stack
        self.answered: list[str] = []
        self.failed = 0
        self.ended = threading.Event()

    def run(self):
        with self.stack.client() as client:
            while not self.ended.wait(0.05):
                name = str(uuid.uuid4())
                try:
                    answer = predict(client, name)
                except httpx.TransportError:
                    self.failed += 1
                    continue
                if answer.is_success:
                    assert answer.json()["request_id"] == name
                    self.answered.append(name)
                else:
                    self.failed += 1


def containers(engine, stack, victim):
    """The running containers of a service, or the release's."""
    label = [f"perennial.stack={stack.project}", "perennial.kind=release"]
    service = [
        f"com.docker.compose.project={stack.project}",
        f"com.docker.compose.service={victim}",
    ]
    return engine.containers(filters={"label": label if victim == "release" else service})


def await_back(engine, stack, victim):
    end = time.monotonic() + BACK_SECONDS
    while time.monotonic() < end:
        if any("(healthy)" in one["Status"] for one in containers(engine, stack, victim)):
            return
        time.sleep(0.5)
    pytest.fail(
        f"{victim} did not come back within {BACK_SECONDS} s:"
        f" {stack.compose('logs', 'door', '--tail', '20').stdout}"
    )


def test_a_lost_stack_is_restored(engine, up):
    stack = up
    stack.first_release()
    serves = stack.predict().json()["version"]
    before = as_json(stack.perennial("history", "sales", "--json"))
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
    stack.perennial("reconcile", "sales")
    answer = stack.predict()
    assert (answer.status_code, answer.json()["version"]) == (200, serves), answer.text
    found = as_json(stack.perennial("doctor", "--json"))
    assert [finding for finding in found["findings"] if finding["state"] == "problem"] == []
    after = as_json(stack.perennial("history", "sales", "--json"))
    assert after[: len(before)] == before
    assert [entry["kind"] for entry in after[len(before) :]] in ([], ["reconciled"])


def test_it_goes_on_though_its_parts_are_killed_and_nothing_answered_is_lost(engine, up):
    """The stack that was restored retrains: what it knows, and where it writes, is whole."""
    up.first_release()
    random_one = random.Random(17)
    traffic = Traffic(up)
    traffic.start()
    with up.airflow() as api:
        run = api.trigger(
            RETRAIN,
            {"as_of": SECOND_DAY, "reason": "while parts are killed"},
        )
        for victim in random_one.sample(VICTIMS, len(VICTIMS)):
            for found in containers(engine, up, victim):
                engine.kill(found["Id"])
            time.sleep(PAUSE_SECONDS)
        for victim in VICTIMS:
            await_back(engine, up, victim)
        state = api.wait(RETRAIN, run, 900)
        tasks = [(task.task, task.state, task.tries) for task in api.tasks(RETRAIN, run)]
    traffic.ended.set()
    traffic.join(30)
    assert state == "success", tasks
    assert ("deploy", "success") in [(task, ended) for task, ended, _ in tasks], (
        "the gate is known to promote this one"
    )
    assert up.predict().json()["version"] == "2"
    back = as_json(
        up.perennial("rollback", "sales", "--reason", "killed while it was made", "--json")
    )
    assert (back["version"], up.predict().json()["version"]) == ("1", "1")
    assert as_json(up.perennial("promote", "sales", "2", "--json"))["version"] == "2"
    logged = [
        json.loads(line)
        for line in up.perennial("log", "sales", "--json", "--limit", "1000000").splitlines()
        if line.startswith("{")
    ]
    seen = [line["request_id"] for line in logged if "request_id" in line]
    lost = set(traffic.answered) - set(seen)
    assert len(traffic.answered) > 100
    assert not lost, f"{len(lost)} of {len(traffic.answered)} answered requests are not in the log"
    assert len(seen) == len(set(seen)), "a request stands in the log twice"
    assert "chain checked" in up.perennial("history", "sales")
    print(  # noqa: T201 -- the measured value
        f"\n{len(traffic.answered)} answered, {traffic.failed} not; tasks (state, tries): {tasks}"
    )
