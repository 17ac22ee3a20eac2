"""Where a container finds what lies below the state folder."""

from __future__ import annotations

import pytest

from pipelines.container_paths import (
    expect_state_in_pods,
    expect_store_in_pods,
    store_in_container,
)
from pipelines.errors import GiveUp
from pipelines.settings import KEY_VARIABLES, load_settings


def settings(tmp_path, **environ):
    return load_settings(
        {"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_STATE": str(tmp_path / "var"), **environ}
    )


def test_the_store_that_nobody_has_set_needs_no_variable(tmp_path):
    assert store_in_container(settings(tmp_path)) == {}


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_below_the_state_is_named_as_the_container_sees_it(tmp_path, scheme):
    store = f"{scheme}{tmp_path / 'var' / 'other'}"
    place = store_in_container(settings(tmp_path, PERENNIAL_STORE=store))
    assert place == {"PERENNIAL_STORE": "/state/other"}


def test_a_folder_elsewhere_is_refused_with_the_setting(tmp_path):
    with pytest.raises(GiveUp, match="PERENNIAL_STORE=/elsewhere is not below the state folder"):
        store_in_container(settings(tmp_path, PERENNIAL_STORE="/elsewhere"))


def test_a_bucket_is_named_with_all_that_reaches_it(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    (tmp_path / "var").mkdir()
    found = store_in_container(
        settings(
            tmp_path,
            PERENNIAL_STORE="s3://models/team",
            PERENNIAL_STORE_CREDENTIALS=str(tmp_path / "var" / "secrets" / "s3"),
            AWS_ENDPOINT_URL="https://objects.example.org",
            PERENNIAL_STORE_ENCRYPTION="AES256",
        )
    )
    assert found == {
        "PERENNIAL_STORE": "s3://models/team",
        "PERENNIAL_STORE_ENDPOINT": "https://objects.example.org",
        "PERENNIAL_STORE_REGION": "us-east-1",
        "PERENNIAL_STORE_ENCRYPTION": "AES256",
        "PERENNIAL_STORE_CACHE_BYTES": "5368709120",
        "PERENNIAL_STORE_RETRY_SECONDS": "60",
        "PERENNIAL_STORE_CREDENTIALS": "/state/secrets/s3",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
    }


def test_a_file_of_credentials_that_no_container_sees_is_refused(tmp_path):
    with pytest.raises(GiveUp, match="PERENNIAL_STORE_CREDENTIALS=/etc/s3 is not below the state"):
        store_in_container(
            settings(
                tmp_path,
                PERENNIAL_STORE="s3://models/team",
                PERENNIAL_STORE_CREDENTIALS="/etc/s3",
            )
        )


def test_a_container_of_azure_is_named_with_its_account_and_key(tmp_path, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    azure = {"PERENNIAL_STORE": "az://models/team", "PERENNIAL_STORE_ACCOUNT": "ours"}
    found = store_in_container(settings(tmp_path, **azure))
    assert found.items() >= {**azure, "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}.items()


def test_a_bucket_of_google_is_named_with_its_key(tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", "{}")
    google = {"PERENNIAL_STORE": "gs://models/team"}
    found = store_in_container(settings(tmp_path, **google))
    assert found.items() >= {**google, "GOOGLE_SERVICE_ACCOUNT_KEY": "{}"}.items()


@pytest.mark.parametrize("store", ["az://models/team", "gs://models/team"])
def test_pods_reach_a_bucket_of_another_service_where_a_server_takes_the_artifacts(tmp_path, store):
    servers = {
        "PERENNIAL_STORE": store,
        "PERENNIAL_STORE_ACCOUNT": "ours",
        "PERENNIAL_LEDGER_URL": "postgresql://db/ledger",
        "PERENNIAL_MLFLOW_URI": "http://mlflow:5000",
    }
    expect_store_in_pods(settings(tmp_path, **servers))
    with pytest.raises(GiveUp, match="have no state") as refused:
        expect_state_in_pods(settings(tmp_path, **servers))
    assert "set PERENNIAL_MLFLOW_PROXIED=true" in refused.value.remedy
    expect_state_in_pods(settings(tmp_path, **servers, PERENNIAL_MLFLOW_PROXIED="true"))


@pytest.mark.parametrize(
    ("store", "service"),
    [("s3://models/team", "AWS"), ("az://models/team", "AZURE"), ("gs://models/team", "GOOGLE")],
)
def test_a_container_is_given_no_key_to_another_service(tmp_path, monkeypatch, store, service):
    for names in KEY_VARIABLES.values():
        for name in names:
            monkeypatch.setenv(name, "hunter2")
    for further in ("AWS_PROFILE", "AZURE_STORAGE_TOKEN_OF_OURS", "GOOGLE_API_KEY"):
        monkeypatch.setenv(further, "hunter2")
    found = store_in_container(settings(tmp_path, PERENNIAL_STORE=store))
    given = {name for name, value in found.items() if value == "hunter2"}
    assert given == set(KEY_VARIABLES[service])


def test_an_id_without_its_secret_is_no_key(tmp_path):
    """As a pod with an identity of Azure's has it: a step's pod is given its own."""
    own = {"AZURE_CLIENT_ID": "id", "AZURE_TENANT_ID": "us", "AZURE_STORAGE_SAS_TOKEN": "sig=x"}
    found = store_in_container(settings(tmp_path, PERENNIAL_STORE="az://models/team"), own)
    assert {name for name in found if name.startswith("AZURE")} == {"AZURE_STORAGE_SAS_TOKEN"}


SERVERS = {
    "PERENNIAL_LEDGER_URL": "postgresql://db/ledger",
    "PERENNIAL_MLFLOW_URI": "http://mlflow:5000",
    "PERENNIAL_MLFLOW_PROXIED": "true",
}


@pytest.mark.parametrize(
    ("given", "words", "remedy"),
    [
        (
            {
                "PERENNIAL_STORE": "gs://models",
                "GOOGLE_APPLICATION_CREDENTIALS": "{home}/var/google.json",
            },
            "GOOGLE_APPLICATION_CREDENTIALS={home}/var/google.json is a file of this machine",
            "GOOGLE_SERVICE_ACCOUNT_KEY",
        ),
        (
            {"PERENNIAL_STORE": "s3://models", "PERENNIAL_STORE_CREDENTIALS": "{home}/var/s3"},
            "PERENNIAL_STORE_CREDENTIALS={home}/var/s3 is a file of this machine",
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
        ),
        (
            {"PERENNIAL_STORE": "s3://models", "AWS_CA_BUNDLE": "/etc/ca.pem"},
            "AWS_CA_BUNDLE=/etc/ca.pem is a file of this machine",
            "PERENNIAL_KUBERNETES_STEPS_CA",
        ),
    ],
)
def test_pods_without_a_volume_are_given_no_file_of_the_worker_s(tmp_path, given, words, remedy):
    """Each would be named to a pod that has none of it."""
    environ = {name: value.format(home=tmp_path) for name, value in given.items()}
    with pytest.raises(GiveUp) as refused:
        expect_state_in_pods(settings(tmp_path, **SERVERS, **environ))
    assert words.format(home=tmp_path) in refused.value.message
    assert remedy in refused.value.remedy
    in_volume = {name: value for name, value in environ.items() if name != "AWS_CA_BUNDLE"}
    expect_state_in_pods(
        settings(tmp_path, **SERVERS, **in_volume, PERENNIAL_KUBERNETES_STEPS_VOLUME="state")
    )


def test_certificates_are_where_the_pods_see_them(tmp_path):
    found = settings(
        tmp_path,
        **SERVERS,
        PERENNIAL_STORE="s3://models",
        PERENNIAL_STORE_CA="/ca/of-the-worker.pem",
        PERENNIAL_KUBERNETES_STEPS_CA="bucket-ca",
    )
    expect_state_in_pods(found)
    assert store_in_container(found, {})["PERENNIAL_STORE_CA"] == "/ca/ca.pem"
