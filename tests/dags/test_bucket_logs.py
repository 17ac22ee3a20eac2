"""The logs of tasks, where the store is in a bucket: sent when a try has ended, then read."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from perennial_airflow.bucket_logs import BucketLogs

from pipelines.settings import load_settings
from tests.buckets import moto
from tests.conftest import ROOT

NAME = "dag_id=retrain_sales/run_id=manual__2024-01-01T00:00:00+00:00/task_id=gate/attempt=1.log"
CONFIG = "perennial_airflow.bucket_logs.LOGGING_CONFIG"


@pytest.fixture(scope="module")
def endpoint():
    with moto() as endpoint:
        yield endpoint


@pytest.fixture
def settings(endpoint, tmp_path):
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(
        f"[default]\naws_access_key_id = {endpoint.key_id}\n"
        f"aws_secret_access_key = {endpoint.secret}\n"
    )
    with endpoint.bucket() as address:
        yield load_settings(
            {
                "PERENNIAL_STATE": str(tmp_path / "state"),
                "PERENNIAL_STORE": address.url.replace(" ", "%20"),
                "PERENNIAL_STORE_ENDPOINT": endpoint.url,
                "PERENNIAL_STORE_CREDENTIALS": str(key),
                "PERENNIAL_STORE_RETRY_SECONDS": "1",
            }
        )


def write(folder, text):
    file = folder / NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_what_one_host_sent_another_one_reads(settings, tmp_path):
    write(tmp_path / "worker", '{"event": "grün"}\n')
    BucketLogs(settings, tmp_path / "worker").upload(NAME)
    (place,), (text,) = BucketLogs(settings, tmp_path / "pages").read(NAME)
    assert text == '{"event": "grün"}\n'
    assert place == f"{settings.store}/logs/{NAME}"


def test_a_log_that_grew_replaces_what_was_sent(settings, tmp_path):
    logs = BucketLogs(settings, tmp_path)
    for text in ("deferred\n", "deferred\nresumed\n"):
        write(tmp_path, text)
        logs.upload(NAME)
    assert logs.read(NAME)[1] == ["deferred\nresumed\n"]


def test_what_nobody_sent_is_looked_for_elsewhere(settings, tmp_path):
    logs = BucketLogs(settings, tmp_path)
    logs.upload(NAME)  # Airflow wrote no file
    assert logs.read(NAME) == ([], None)


def test_a_bucket_that_is_away_fails_no_task_and_is_told(settings, tmp_path, caplog):
    away = settings.replace(store_endpoint="http://127.0.0.1:1")
    write(tmp_path, "a line\n")
    logs = BucketLogs(away, tmp_path)
    with caplog.at_level(logging.WARNING):
        logs.upload(NAME)
    assert "The task's log stays on this host alone" in caplog.text
    (said,), text = logs.read(NAME)
    assert "cannot be read" in said
    assert text is None


FOUND = """
import json
from airflow.logging_config import get_remote_task_log
from airflow.sdk.log import load_remote_log_handler
print(json.dumps([type(get_remote_task_log()).__name__, type(load_remote_log_handler()).__name__]))
"""


@pytest.mark.parametrize(
    ("store", "name"), [({"PERENNIAL_STORE": "s3://models/state"}, "BucketLogs"), ({}, "NoneType")]
)
def test_airflow_s_tasks_and_pages_find_it_where_the_store_is_in_a_bucket(tmp_path, store, name):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FOUND],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
            "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": CONFIG,
            **store,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [name, name]
