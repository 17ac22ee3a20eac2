"""The real stack: it comes up, heals, refuses to cross another one, and leaves nothing behind,
however it was killed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.errors import RequestError
from stack.airflow_api import AirflowApi
from stack.keys import USER, password
from stack.patience import Patience
from stack.processes import cpu_seconds, stack_processes
from tests.dags.specs import write_models

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 240
"""Seconds that the test waits for a program to come back, and more as long as it computes.

Alone it takes about ten.
"""


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Stack:
    """A stack in a folder of its own, used through its command as people use it."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.state = folder / "var"
        self.ports = ports
        names = ("AIRFLOW", "MLFLOW", "SERVING")
        self.environ = {
            **os.environ,
            "PERENNIAL_HOME": str(folder),
            "PERENNIAL_STATE": str(self.state),
            **{
                f"PERENNIAL_{name}_PORT": str(port) for name, port in zip(names, ports, strict=True)
            },
        }

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stack", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False
        )

    def programs(self) -> dict[str, dict]:
        return {program["name"]: program for program in json.loads(self("status", "--json").stdout)}

    def supervisord(self) -> int:
        return json.loads((self.state / "stack" / "supervisord.json").read_text())["pid"]

    def api(self) -> AirflowApi:
        return AirflowApi(
            f"http://127.0.0.1:{self.ports[0]}", USER, password(self.state / "secrets")
        )

    def await_all_healthy_with(self, name: str, *, other_than: int) -> None:
        patience = Patience(
            PATIENCE,
            lambda: cpu_seconds(process.pid for process in stack_processes(str(self.state))),
        )
        while not patience.is_over:
            known = self.programs()
            if known[name]["pid"] not in {None, other_than} and all(
                program["state"] == "healthy" for program in known.values()
            ):
                return
            time.sleep(0.5)
        pytest.fail(
            f"{name} did not come back: {self('status').stdout}\n{self('logs', name).stdout}"
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    made = Stack(write_models(folder, "demo"), free_ports(3))
    done = made("up")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        made("down")


def test_it_tells_the_way_in_and_no_secret(stack):
    shown = stack("status")
    assert shown.returncode == 0
    assert f"user {USER}, password in {stack.state / 'secrets'}" in shown.stdout
    secret = password(stack.state / "secrets")
    assert secret not in shown.stdout
    assert stack("status", "--show-password").stdout.strip().endswith(secret)
    assert not [
        log.name
        for log in (stack.state / "log").iterdir()
        if secret in log.read_text(errors="replace")
    ]


def test_a_second_up_does_nothing_and_says_so(stack):
    before = {name: program["pid"] for name, program in stack.programs().items()}
    again = stack("up")
    assert (again.returncode, "running already" in again.stdout) == (0, True)
    assert {name: program["pid"] for name, program in stack.programs().items()} == before


def test_it_listens_on_this_machine_only(stack):
    pids = {process.pid for process in stack_processes(str(stack.state))}
    heard = [
        c.laddr
        for c in psutil.net_connections("tcp")
        if c.pid in pids and c.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in heard} == {"127.0.0.1"}
    assert {address.port for address in heard} == set(stack.ports)


def test_without_a_token_airflow_says_nothing(stack):
    import httpx

    assert httpx.get(f"http://127.0.0.1:{stack.ports[0]}/api/v2/dags").status_code == 401


def test_another_stack_on_the_same_ports_is_refused_and_nothing_of_it_stays(stack, tmp_path):
    other = Stack(write_models(tmp_path, "demo"), stack.ports)
    refused = other("up")
    assert refused.returncode == 65
    assert "PERENNIAL_MLFLOW_PORT" in refused.stderr
    assert str(stack.ports[1]) in refused.stderr
    assert stack_processes(str(other.state)) == {}


def test_an_unknown_key_in_a_triggers_conf_is_refused_at_once(stack):
    with (
        stack.api() as api,
        pytest.raises(
            RequestError,
            match=r"400.*unknown key 'colour'; retrain_demo takes as_of, force, reason",
        ),
    ):
        api.trigger("retrain_demo", {"colour": "red"})


@pytest.mark.parametrize(
    "name", ["mlflow", "serving", "api-server", "scheduler", "dag-processor", "triggerer", "guard"]
)
def test_a_killed_program_comes_back(stack, name):
    pid = stack.programs()[name]["pid"]
    psutil.Process(pid).kill()
    stack.await_all_healthy_with(name, other_than=pid)


def test_after_supervisord_and_its_guard_were_killed_down_leaves_nothing(stack):
    for pid in (stack.programs()["guard"]["pid"], stack.supervisord()):
        psutil.Process(pid).kill()
    down = stack("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert stack_processes(str(stack.state)) == {}
    assert stack("status").returncode == 1
    for port in stack.ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
