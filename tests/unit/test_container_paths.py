"""Where a container finds what lies below the state folder."""

from __future__ import annotations

import pytest

from pipelines.container_paths import (
    KEY_VARIABLES,
    expect_state_in_pods,
    expect_store_in_pods,
    store_in_container,
)
from pipelines.errors import GiveUp
from pipelines.settings import load_settings


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
    ("store", "own"),
    [
        ("s3://models/team", {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}),
        ("az://models/team", {"AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"}),
        ("gs://models/team", {"GOOGLE_SERVICE_ACCOUNT_KEY"}),
    ],
)
def test_a_container_is_given_no_key_to_another_service(tmp_path, monkeypatch, store, own):
    for name in KEY_VARIABLES:
        monkeypatch.setenv(name, "hunter2")
    found = store_in_container(settings(tmp_path, PERENNIAL_STORE=store))
    assert {name for name, value in found.items() if value == "hunter2"} == own
