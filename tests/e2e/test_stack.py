"""The running stack, used through its command as people use it."""

import httpx
import psutil
import pytest

from stack.keys import USER, password
from stack.processes import stack_processes
from tests.dags.specs import write_models
from tests.e2e.live import programs, run_stack, stack_environ

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_it_tells_the_way_in_and_no_secret(live):
    shown = live.stack("status", "--show-password")
    assert shown.returncode == 0
    assert f"user {USER}, password in {live.layout.secrets}" in shown.stdout
    secret = password(live.layout.secrets)
    assert shown.stdout.count(secret) == 1
    assert shown.stdout.strip().endswith(secret)
    assert secret not in live.stack("status").stdout
    assert not [
        log.name for log in live.layout.logs.iterdir() if secret in log.read_text(errors="replace")
    ]


def test_a_second_up_does_nothing_and_says_so(live):
    before = live.pids()
    again = live.stack("up")
    assert (again.returncode, "running already" in again.stdout) == (0, True)
    reports = programs(live.stack("status", "--json"))
    assert {name: program["pid"] for name, program in reports.items()} == before


def test_it_listens_on_this_machine_only(live):
    pids = {process.pid for process in stack_processes(str(live.layout.state))}
    addresses = [
        c.laddr
        for c in psutil.net_connections("tcp")
        if c.pid in pids and c.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in addresses} == {"127.0.0.1"}
    assert {address.port for address in addresses} == {
        live.settings.airflow_port,
        live.settings.mlflow_port,
        live.settings.serving_port,
    }


def test_without_a_token_airflow_says_nothing(live):
    assert httpx.get(f"{live.layout.airflow_url}/api/v2/dags").status_code == 401


def test_another_stack_on_the_same_ports_is_refused_and_nothing_of_it_stays(live, tmp_path):
    ports = {
        name: getattr(live.settings, f"{name.lower()}_port")
        for name in ("AIRFLOW", "MLFLOW", "SERVING")
    }
    environ = stack_environ(str(write_models(tmp_path, "demo")), ports)
    refusal = run_stack(environ, "up")
    assert refusal.returncode == 65
    assert "PERENNIAL_MLFLOW_PORT" in refusal.stderr
    assert str(live.settings.mlflow_port) in refusal.stderr
    assert stack_processes(environ["PERENNIAL_STATE"]) == {}
