"""A broker that is away: what was to be handed out stays queued; all else fails as it ever did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from airflow.providers.celery.executors.celery_executor_utils import ExceptionWithTraceback
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from amqp.exceptions import AccessRefused, ConnectionForced
from kombu.exceptions import OperationalError
from perennial_airflow import executors
from perennial_airflow.celery_executor import PatientCeleryExecutor, as_slow

from tests.buckets import free_port
from tests.conftest import ROOT

HAND_OUT = """
import json
from types import SimpleNamespace
from perennial_airflow.celery_executor import PatientCeleryExecutor

executor = PatientCeleryExecutor(parallelism=2)
workload = SimpleNamespace(
    ti=SimpleNamespace(external_executor_id=None), model_dump_json=lambda: "{}"
)
executor.queued_tasks["key"] = workload
for _ in range(5):
    executor._send_workloads([("key", workload, "default", None)])
kept = {name: len(executor.queued_tasks) for name in ["queued"]}
print(json.dumps({**kept, "events": len(executor.event_buffer)}))
"""


def test_the_setting_leads_to_it():
    assert executors.celery is PatientCeleryExecutor


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("no route"),
        ConnectionRefusedError(),
        TimeoutError("no answer"),
        ConnectionForced("the broker is shut down"),
        AccessRefused("the password was changed"),
    ],
)
def test_a_broker_that_is_away_is_one_that_is_slow(error):
    found = as_slow(ExceptionWithTraceback(error, "where it was"))
    assert isinstance(found.exception, AirflowTaskTimeout)
    assert found.traceback == "where it was"


@pytest.mark.parametrize("result", [ExceptionWithTraceback(ValueError(), ""), SimpleNamespace()])
def test_all_else_is_as_it_was(result):
    assert as_slow(result) is result


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_without_a_broker_a_task_stays_queued_and_has_not_failed(tmp_path, scheme):
    url = f"{scheme}://127.0.0.1:{free_port()}/0"
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__EXECUTOR": "perennial_airflow.executors.celery",
        "AIRFLOW__CELERY__BROKER_URL": url,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+sqlite:///{tmp_path}/results.db",
        "AIRFLOW__CELERY__OPERATION_TIMEOUT": "5",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HAND_OUT],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.strip().splitlines()[-1]) == {"queued": 1, "events": 0}
