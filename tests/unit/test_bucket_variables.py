"""What AWS's library and MLflow are told of the store's bucket."""

import json
import os

from pipelines.bucket_variables import bucket_variables, use_bucket
from pipelines.settings import load_settings
from pipelines.store.bucket.address import artifacts_url

BUCKET = {
    "PERENNIAL_STORE": "s3://models/team",
    "PERENNIAL_STORE_ENDPOINT": "https://objects.example.org",
    "PERENNIAL_STORE_REGION": "eu-central-1",
    "PERENNIAL_STORE_CA": "/etc/ca.pem",
    "PERENNIAL_STORE_ENCRYPTION": "aws:kms",
    "PERENNIAL_STORE_KMS_KEY": "key-1",
}


def test_without_a_bucket_nothing_is_said_and_artifacts_stay_in_the_state():
    settings = load_settings({})
    assert bucket_variables(settings) == {}
    assert artifacts_url(settings) == ""


def test_they_follow_from_the_settings():
    settings = load_settings(BUCKET)
    found = bucket_variables(settings)
    assert json.loads(found.pop("MLFLOW_S3_UPLOAD_EXTRA_ARGS")) == {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "key-1",
    }
    assert found == {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "MLFLOW_S3_ENDPOINT_URL": "https://objects.example.org",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
    }
    assert artifacts_url(settings) == "s3://models/team/mlflow"


def test_what_somebody_has_set_stays(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    for name in ("MLFLOW_S3_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, "")  # so that monkeypatch takes away what is set here
        del os.environ[name]
    monkeypatch.setenv("MLFLOW_S3_UPLOAD_EXTRA_ARGS", "{}")
    use_bucket(load_settings(BUCKET))
    assert os.environ["AWS_DEFAULT_REGION"] == "us-west-2"
    assert os.environ["MLFLOW_S3_ENDPOINT_URL"] == "https://objects.example.org"
    assert os.environ["MLFLOW_S3_UPLOAD_EXTRA_ARGS"] == "{}"
