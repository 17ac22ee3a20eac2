"""The end of the stack: after this there is none. tests/conftest.py puts it last."""

import json
import socket

import psutil
import pytest

from stack.processes import stack_processes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_after_supervisord_and_its_guard_were_killed_down_leaves_nothing(live):
    supervisord = json.loads((live.layout.run / "supervisord.json").read_text())["pid"]
    for pid in (live.pids()["guard"], supervisord):
        psutil.Process(pid).kill()
    down = live.stack("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert stack_processes(str(live.layout.state)) == {}
    assert live.stack("status").returncode == 1
    settings = live.settings
    for port in (settings.airflow_port, settings.mlflow_port, settings.serving_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
