"""MLflow whose artifacts lie in the bucket of the store."""

from dataclasses import replace

import pytest

from pipelines.bucket_variables import bucket_variables
from pipelines.errors import Denied, RequestError, Unreachable
from pipelines.registry.mlflow import MlflowRegistry
from pipelines.settings import load_settings
from tests.bad_network import bad_network


@pytest.fixture
def reached(endpoint, monkeypatch):
    """Let this process reach an endpoint's buckets as a step does; called with another URL, there.

    MLflow keeps its clients by the variables.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", endpoint.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", endpoint.secret)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def reach(url=endpoint.url):
        environ = {"PERENNIAL_STORE": "s3://models", "PERENNIAL_STORE_ENDPOINT": url}
        for name, value in bucket_variables(load_settings(environ)).items():
            monkeypatch.setenv(name, value)

    reach()
    return reach


@pytest.fixture
def registry_in(uri, tmp_path, reached):
    def registry(address):
        return MlflowRegistry(uri, tmp_path / "artifacts", bucket=address.below("mlflow"))

    return registry


@pytest.fixture
def plot(tmp_path):
    file = tmp_path / "plot.svg"
    file.write_text("<svg/>")
    return file


def test_plots_and_models_lie_in_the_bucket_and_locks_beside_the_state(
    registry_in, address, in_bucket, plot, model_file, tmp_path
):
    registry = registry_in(address)
    run = registry.parent("m", "first", {})
    registry.attach(run, plot, "plots")
    version = registry.register("m", run, "key", model_file, {})
    names = [item.name for item in in_bucket.client.all("mlflow/m")]
    assert f"mlflow/m/{run}/artifacts/plots/plot.svg" in names
    assert any(name.endswith("MLmodel") for name in names)
    assert version.version == "1"
    left = [path.name for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert left
    assert all(name.endswith(".lock") for name in left)


def test_a_file_is_taken_away_and_its_neighbours_stay(registry_in, address, plot):
    registry = registry_in(address)
    run = registry.parent("m", "first", {})
    other = plot.with_suffix(".svg.gz")
    other.write_bytes(plot.read_bytes())
    for file in (plot, other):
        registry.attach(run, file, "plots")
    registry.detach(run, "plots/plot.svg")
    assert registry.find_artifact(run, "plots/plot.svg") is None
    assert registry.find_artifact(run, "plots/plot.svg.gz") == 6


def test_a_missing_bucket_is_named(registry_in, address, plot):
    registry = registry_in(replace(address, bucket="perennial-none"))
    run = registry.parent("m", "first", {})
    with pytest.raises(RequestError, match=r"bucket of the artifacts of MLflow at .* is not there"):
        registry.attach(run, plot, "plots")


def test_a_denied_and_a_lost_bucket_are_named(registry_in, reached, address, plot):
    with bad_network(address.endpoint) as network:
        reached(network.url)
        registry = registry_in(address)
        run = registry.parent("m", "first", {})
        network.refuse("PUT", 403, "AccessDenied", times=1)
        with pytest.raises(Denied, match="the right s3:PutObject is missing"):
            registry.attach(run, plot, "plots")
        network.refuse("PUT", 503, "SlowDown", times=1)
        with pytest.raises(Unreachable, match="cannot be reached"):
            registry.attach(run, plot, "plots")
        network.cut_uploads = 1
        with pytest.raises(Unreachable, match="cannot be reached"):
            registry.attach(run, plot, "plots")
        registry.attach(run, plot, "plots")
