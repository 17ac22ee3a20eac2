"""A broker and workers in the stack of one machine, and the same patience in the composed one."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.errors import RequestError
from pipelines.settings import load_settings
from stack import control
from stack.celery import prepare_broker
from stack.environment import environment
from stack.keys import print_command
from stack.layout import CHECKOUT
from stack.programs import programs
from tests.unit.stack.test_stack_config import layout

COMPOSED = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
CERTIFICATES = "${PERENNIAL_BROKER_CA:-/dev/null}:/run/broker-ca.pem:ro"


def test_the_composed_stack_shows_a_broker_s_certificates_to_those_who_speak_to_it():
    told = COMPOSED["x-airflow-environment"]
    assert told["PERENNIAL_BROKER_CA"] == "${PERENNIAL_BROKER_CA:+/run/broker-ca.pem}"
    seeing = {
        name for name, of in COMPOSED["services"].items() if CERTIFICATES in of.get("volumes", ())
    }
    assert seeing == {"init", "scheduler", "worker", "perennial"}


def test_both_stacks_let_workers_hold_no_task_that_they_do_not_do(tmp_path):
    composed = COMPOSED["x-airflow-environment"]
    embedded = environment(layout(tmp_path, executor="celery"), {})
    for name in (
        "CELERY__WORKER_PREFETCH_MULTIPLIER",
        "CELERY__OPERATION_TIMEOUT",
        "CELERY__EXTRA_CELERY_CONFIG",
        "CELERY__CELERY_CONFIG_OPTIONS",
        "SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE",
        "SCHEDULER__TASK_QUEUED_TIMEOUT",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL",
        "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES",
    ):
        assert composed[f"AIRFLOW__{name}"] == embedded[f"AIRFLOW__{name}"]


def test_a_task_that_nobody_began_is_handed_out_again_within_minutes_and_fails_after_half_an_hour(
    tmp_path,
):
    environ = environment(layout(tmp_path, executor="celery"), {})
    seconds = int(environ["AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT"])
    again = int(environ["AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES"])
    assert seconds <= 180
    assert seconds * (again + 1) == 30 * 60


def test_a_stack_with_workers_has_a_broker_that_only_its_owner_reaches(tmp_path):
    here = layout(tmp_path, executor="celery", celery_workers="3", queues="default,large")
    commands = {program.name: program.command for program in programs(here)}
    assert {"broker", "worker-1", "worker-2", "worker-3"} <= set(commands)
    broker, worker = commands["broker"], commands["worker-2"]
    assert broker[broker.index("--port") + 1] == "0"
    assert broker[broker.index("--unixsocketperm") + 1] == "700"
    assert worker[worker.index("--queues") + 1] == "default,large"
    environ = environment(here, {})
    assert environ["AIRFLOW__CORE__PARALLELISM"] == "6"
    assert str(here.run / "broker.sock") in environ["AIRFLOW__CELERY__BROKER_URL"]
    assert "broker" not in {program.name for program in programs(layout(tmp_path))}


OWN = "amqp://me:hunter2@rabbit.example:5672/models"


def test_a_broker_of_one_s_own_is_not_run_and_its_password_stands_in_a_file_alone(tmp_path):
    here = layout(tmp_path, executor="celery", broker_url=OWN)
    commands = {program.name: program.command for program in programs(here)}
    assert "broker" not in commands
    assert {"worker-1", "worker-2"} <= set(commands)
    environ = environment(here, {"PERENNIAL_BROKER_URL": OWN})
    assert "hunter2" not in str(environ) + str(commands)
    assert str(here.secrets / "broker_url") in environ["AIRFLOW__CELERY__BROKER_URL_CMD"]
    assert "AIRFLOW__CELERY__BROKER_URL" not in environ
    assert environ["AIRFLOW__CELERY__RESULT_BACKEND"].startswith("db+sqlite:///")


def test_its_address_is_written_for_the_owner_s_eyes_and_goes_with_the_setting(tmp_path):
    asked = []
    here = layout(tmp_path, executor="celery", broker_url=OWN, broker_ca="/etc/ours.pem")
    here.secrets.mkdir(parents=True)
    prepare_broker(here, lambda *told: asked.append(told))
    file = here.secrets / "broker_url"
    assert (file.read_text(), oct(file.stat().st_mode)[-3:]) == (OWN, "600")
    assert asked == [(OWN, Path("/etc/ours.pem"))]
    said = subprocess.run(
        shlex.split(print_command(file)), capture_output=True, text=True, check=True
    )
    assert said.stdout == OWN
    prepare_broker(layout(tmp_path))
    assert not file.exists()


def test_later_commands_know_of_it_without_its_password(tmp_path):
    here = layout(tmp_path, executor="celery", broker_url=OWN, broker_ca="/etc/ours.pem")
    found = control._settings(here)
    assert found["broker_url"] == "amqp://rabbit.example:5672/models"
    assert found["broker_ca"] == "/etc/ours.pem"
    assert "broker_url" not in control._settings(layout(tmp_path, executor="celery"))


@pytest.mark.parametrize("url", ["http://x", "amqp://", "pyamqp:hidden", "amqp://me:hidden @x"])
def test_what_is_no_broker_s_address_is_refused_and_not_shown(url):
    with pytest.raises(RequestError, match="PERENNIAL_BROKER_URL") as refused:
        load_settings({"PERENNIAL_BROKER_URL": url})
    assert "hidden" not in str(refused.value)


def test_without_a_broker_on_the_machine_up_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestError, match="apt install redis-server"):
        prepare_broker(layout(tmp_path, executor="celery"))


def test_a_state_folder_that_lies_too_deep_for_a_socket_is_named(tmp_path, monkeypatch):
    (tmp_path / "redis-server").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestError, match="too long for a socket"):
        prepare_broker(layout(tmp_path / ("deep" * 30), executor="celery"))
