"""What of the worker's settings and secrets reaches a step's pod."""

from __future__ import annotations

import pytest
from perennial_airflow.places.pod_setup import is_secret, pod_environment

from pipelines.errors import GiveUp
from pipelines.steps.catalogue import STEPS
from tests.dags.places.pods import known, values

WORKER = {
    "PERENNIAL_HOME": "/opt/perennial",
    "PERENNIAL_PLACE": "kubernetes",
    "PERENNIAL_KUBERNETES_CONFIG": "/etc/kube/config",
    "PERENNIAL_KUBERNETES_STEPS_USER": "1000",
    "PERENNIAL_KUBERNETES_NAMESPACE": "ml",
    "PERENNIAL_MLFLOW_URI": "http://mlflow:5000",
    "PERENNIAL_LEDGER_URL": "postgresql://u:hunter2@db/ledger",
    "PERENNIAL_SQL_SHOP": "postgresql://u:hunter2@db/shop",
    "MLFLOW_TRACKING_PASSWORD": "hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "AZURE_STORAGE_ACCOUNT_KEY": "hunter2",
    "GOOGLE_SERVICE_ACCOUNT_KEY": '{"private_key": "hunter2"}',
    "UV_DEFAULT_INDEX": "https://u:hunter2@mirror.example/simple",
    "PERENNIAL_SIGNING_KEY": "hunter2",
    "PERENNIAL_LOG_LEVEL": "$(PERENNIAL_LEDGER_URL)",
    "AIRFLOW__CORE__FERNET_KEY": "hunter2",
    "PATH": "/opt/airflow/bin",
}


@pytest.mark.parametrize(
    ("store", "own"),
    [
        ({}, set()),
        ({"store": "s3://models"}, set()),
        ({"store": "gs://models"}, {"GOOGLE_SERVICE_ACCOUNT_KEY"}),
        ({"store": "az://models", "store_account": "ours"}, {"AZURE_STORAGE_ACCOUNT_KEY"}),
    ],
)
def test_what_is_secret_stands_in_no_pod_but_where_it_is(store, own):
    """Of the keys to a bucket, that to the store's service and, for sources, that to S3."""
    found = pod_environment(WORKER, known(kubernetes_steps_secret="steps", **store), "train")
    got = values(found)
    assert "hunter2" not in str(found)
    assert {name for name, value in got.items() if value == f"steps/{name}"} == {
        "PERENNIAL_LEDGER_URL",
        "PERENNIAL_SQL_SHOP",
        "MLFLOW_TRACKING_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "UV_DEFAULT_INDEX",
        *own,
    }
    assert got["PERENNIAL_MLFLOW_URI"] == "http://mlflow:5000"
    assert got["PERENNIAL_KUBERNETES_NAMESPACE"] == "ml"
    assert not {"PATH", "PERENNIAL_KUBERNETES_CONFIG", "PERENNIAL_KUBERNETES_STEPS_USER"} & set(got)


def test_variables_in_a_value_are_not_put_in_by_the_cluster():
    found = pod_environment(WORKER, known(kubernetes_steps_secret="steps"), "train")
    assert values(found)["PERENNIAL_LOG_LEVEL"] == "$$(PERENNIAL_LEDGER_URL)"


@pytest.mark.parametrize("step", sorted(STEPS))
def test_only_the_packager_gets_the_key_that_signs(step):
    found = known(
        kubernetes_steps_secret="steps",
        kubernetes_steps_secret_keys="PERENNIAL_SIGNING_KEY,PERENNIAL_SQL_OTHER",
        serving_url="http://serving",
    )
    for environ in ({}, WORKER):
        got = values(pod_environment(environ, found, step))
        assert ("PERENNIAL_SIGNING_KEY" in got) is STEPS[step].signs
        assert got["PERENNIAL_SQL_OTHER"] == "steps/PERENNIAL_SQL_OTHER"


def test_a_secret_that_is_in_no_secret_of_the_cluster_is_refused_by_name_not_by_value():
    with pytest.raises(GiveUp, match="PERENNIAL_KUBERNETES_STEPS_SECRET") as caught:
        pod_environment({"PERENNIAL_SQL_SHOP": "x://u:hunter2@db/y"}, known(), "ingest")
    assert "PERENNIAL_SQL_SHOP is a secret" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("PERENNIAL_MLFLOW_URI", "http://mlflow:5000", False),
        ("PERENNIAL_MLFLOW_URI", "http://u:p@mlflow:5000", True),
        ("PERENNIAL_LEDGER_URL", "postgresql://db/ledger?password=x", True),
        ("PERENNIAL_SQL_X", "sqlite:///x", True),
        ("PERENNIAL_LEDGER_ANCHOR", "https://u:p@anchor", True),
        ("PERENNIAL_LOG_LEVEL", "INFO", False),
        ("AWS_ACCESS_KEY_ID", "x", True),
        ("AZURE_STORAGE_ACCOUNT_KEY", "x", True),
        ("GOOGLE_SERVICE_ACCOUNT_KEY", "{}", True),
    ],
)
def test_what_may_hold_a_password_counts_as_secret(name, value, found):
    assert is_secret(name, value) is found


@pytest.mark.parametrize(
    ("given", "environ", "step", "words"),
    [
        ({}, {"PERENNIAL_MLFLOW_URI": "http://127.0.0.1:5000"}, "train", "MLFLOW_URI is an addr"),
        ({}, {"PERENNIAL_SQL_X": "postgresql://localhost/x"}, "ingest", "SQL_X is an address of"),
        ({}, {}, "deploy", "SERVING_URL is an address of this machine alone"),
        ({"target": "docker"}, {}, "deploy", "does not deploy containers of a Docker engine"),
        ({"trust": "/elsewhere"}, {}, "package", "PERENNIAL_TRUST=/elsewhere is not below"),
        ({"store": "/elsewhere"}, {}, "train", "PERENNIAL_STORE=/elsewhere is not below"),
    ],
)
def test_what_a_pod_cannot_reach_is_refused_before_one_is_made(given, environ, step, words):
    with pytest.raises(GiveUp, match=words):
        pod_environment(environ, known(kubernetes_steps_secret="s", **given), step)
