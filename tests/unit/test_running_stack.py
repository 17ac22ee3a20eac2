import json
import os
import subprocess
import sys

import psutil
import pytest

from pipelines.settings import load_settings
from stack.record import Record, write_record

PORTS = {"airflow_port": 18080, "mlflow_port": 15000, "serving_port": 18000}


@pytest.fixture
def state(tmp_path):
    (tmp_path / "var" / "stack").mkdir(parents=True)
    return tmp_path / "var"


def settings(state, **more):
    return load_settings({"PERENNIAL_HOME": str(state.parent), **more})


def record(state, pid, created, running=PORTS):
    """Write what `up` writes of a running stack."""
    layout = type("Layout", (), {"run": state / "stack"})()
    write_record(
        layout, Record(pid=pid, created=created, socket=state / "s.sock", settings=running)
    )


def test_a_shell_without_ports_finds_those_of_the_stack_that_runs(state):
    assert settings(state).serving_url == "http://127.0.0.1:8000"
    record(state, os.getpid(), psutil.Process().create_time())
    loaded_settings = settings(state, PERENNIAL_MLFLOW_PORT="5001")
    assert (
        loaded_settings.airflow_port,
        loaded_settings.mlflow_port,
        loaded_settings.serving_url,
    ) == (
        18080,
        5001,
        "http://127.0.0.1:18000",
    )


def test_a_shell_without_an_executor_finds_that_of_the_stack_that_runs(state):
    assert settings(state).executor == "local"
    running = {**PORTS, "executor": "celery", "celery_workers": 3}
    record(state, os.getpid(), psutil.Process().create_time(), running)
    found = settings(state)
    assert (found.executor, found.celery_workers) == ("celery", 3)


def test_a_stack_that_is_gone_says_nothing(state):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    record(state, process.pid, 1.0)
    assert settings(state).airflow_port == 8080
    record(state, os.getpid(), 1.0)
    assert settings(state).airflow_port == 8080, "the process id is somebody else's"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        json.dumps({"settings": PORTS}),
        json.dumps({"pid": "x", "created": 1, "settings": PORTS}),
    ],
)
def test_a_record_that_makes_no_sense_says_nothing(state, body):
    (state / "stack" / "supervisord.json").write_text(body)
    assert settings(state).airflow_port == 8080
