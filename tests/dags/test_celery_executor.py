"""A broker that is away: what was to be handed out stays queued; all else fails as it ever did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from airflow.providers.celery.executors.celery_executor_utils import ExceptionWithTraceback
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from amqp.exceptions import AccessRefused, ConnectionForced
from kombu.exceptions import OperationalError
from perennial_airflow import executors
from perennial_airflow.celery_config import check_certificates
from perennial_airflow.celery_executor import PatientCeleryExecutor, as_slow

from pipelines.errors import RequestError
from stack.celery import celery_settings
from tests.buckets import free_port
from tests.conftest import ROOT
from tests.unit.stack.test_stack_config import layout

if TYPE_CHECKING:
    from pathlib import Path

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

LOAD = """
import json, sys
from airflow.providers.celery.executors.celery_executor import app
from celery.signals import celeryd_init

app.loader.init_worker()
before = "perennial_airflow.dags.all_models" in sys.modules
celeryd_init.send(sender="worker")
print(json.dumps([before, "perennial_airflow.dags.all_models" in sys.modules]))
"""
"""What Celery does in a worker before it forks."""

TLS = """
import json
from airflow.providers.celery.executors.celery_executor import app
from airflow.providers.celery.executors.celery_executor_utils import create_celery_app
from airflow.providers.common.compat.sdk import conf

print(json.dumps([each.conf.broker_use_ssl for each in (app, create_celery_app(conf))]))
"""
"""How a worker checks the broker's certificate, and how the scheduler does."""


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
    assert run(HAND_OUT, tmp_path, BROKER_URL=url) == {"queued": 1, "events": 0}


@pytest.mark.slow
def test_a_worker_loads_what_tasks_need_before_it_forks(tmp_path):
    extra = celery_settings(layout(tmp_path, executor="celery"))["CELERY"]["EXTRA_CELERY_CONFIG"]
    found = run(LOAD, tmp_path, BROKER_URL="memory://", EXTRA_CELERY_CONFIG=str(extra))
    assert found == [False, True]


@pytest.mark.slow
def test_celery_checks_a_broker_s_certificate_and_keeps_what_airflow_was_told(tmp_path):
    """Airflow's own settings name the certificate of a client, for brokers that ask for one."""
    here = layout(tmp_path, executor="celery")
    name = str(celery_settings(here)["CELERY"]["CELERY_CONFIG_OPTIONS"])
    own = {"SSL_ACTIVE": "True", "SSL_KEY": "/key", "SSL_CERT": "/cert", "SSL_CACERT": "/ca"}
    found = run(TLS, tmp_path, BROKER_URL="amqps://h/v", CELERY_CONFIG_OPTIONS=name, **own)
    files = {"keyfile": "/key", "certfile": "/cert", "ca_certs": "/ca"}
    assert found == [{"cert_reqs": 2, "server_hostname": "h", **files}] * 2


@pytest.mark.parametrize(
    "url",
    [
        "rediss://:hunter2@h/0?ssl_cert_reqs=none",
        "amqps://me:hunter2@h/v?ssl=1",
        "amqp://me:hunter2@h/v;amqps://me:hunter2@i/v",
    ],
)
def test_celery_takes_no_address_that_would_replace_the_check(url):
    """With the chart the address is a Secret's entry, which may be changed when all runs."""
    with pytest.raises(RequestError) as refused:
        check_certificates({"broker_url": url}, None)
    assert "PERENNIAL_BROKER" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def run(code: str, home: Path, **celery: str) -> object:
    """Return what this code prints in a process with these settings of Celery."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__EXECUTOR": "perennial_airflow.executors.celery",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+sqlite:///{home}/results.db",
        "AIRFLOW__CELERY__OPERATION_TIMEOUT": "5",
        **{f"AIRFLOW__CELERY__{name}": value for name, value in celery.items()},
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])
