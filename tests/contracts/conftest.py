"""Fixtures of the contract tests.

MLflow with a database made once, a fitted model, a ledger with entries, a repository of versions,
databases to query.
"""

import contextlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io

from pipelines.ledger.sql import SqlLedger
from pipelines.registry.mlflow import MlflowRegistry
from pipelines.versions.dvc import DvcVersions
from tests.bad_network import bad_network
from tests.buckets import bucket_store, moto
from tests.contracts.databases import KINDS, Databases
from tests.contracts.sql_files import url
from tests.decisions import raw
from tests.google_storage import google_storage
from tests.services import S3, endpoint_of

ROWS = np.arange(40.0).reshape(20, 2)


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """A fresh MLflow database, made once: its migrations take seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    MlflowRegistry(f"sqlite:///{folder}/mlflow.db", artifacts=folder / "artifacts").versions("m")
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def fitted():
    return make_pipeline(
        StandardScaler(), HistGradientBoostingRegressor(max_iter=3, random_state=0)
    ).fit(ROWS, ROWS[:, 0])


@pytest.fixture(scope="session")
def model_file(tmp_path_factory, fitted):
    file = tmp_path_factory.mktemp("model") / "model.skops"
    io.dump(fitted, file)
    return file


@pytest.fixture
def uri(database, tmp_path):
    shutil.copy(database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def real(uri, tmp_path):
    return MlflowRegistry(uri, artifacts=tmp_path / "artifacts")


def clock():
    return datetime(2026, 1, 1, 12, 30, 1, 5, tzinfo=UTC)


@pytest.fixture
def filled_ledger(tmp_path):
    ledger = SqlLedger(url(tmp_path), now=clock)
    for n in range(6):
        ledger.append("m", f"k{n}", raw("verdict", {"n": n}))
    return ledger


@pytest.fixture
def dvc_root(tmp_path):
    return tmp_path / "versions"


@pytest.fixture
def dvc_versions(dvc_root):
    return DvcVersions(dvc_root, lock_timeout=60)


@pytest.fixture(scope="session")
def databases():
    """Real databases of every kind that a `sql` source is tested on."""
    with contextlib.ExitStack() as stack:
        yield Databases(stack)


@pytest.fixture(params=KINDS)
def shop(request, databases, tmp_path):
    """An empty database, once of each kind."""
    return databases.shop(request.param, tmp_path)


@pytest.fixture(scope="session")
def moto_endpoint():
    """An S3 endpoint that answers as AWS does."""
    with moto() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def google_endpoint():
    """Google's storage-testbench, where one is named."""
    with google_storage() as storage:
        yield storage


@pytest.fixture(params=S3)
def endpoint(request):
    """An S3 endpoint, moto's and a real one; also another service's (`on_every_service`)."""
    return endpoint_of(request, request.param)


@pytest.fixture
def address(endpoint):
    """An empty bucket."""
    with endpoint.bucket() as address:
        yield address


@pytest.fixture
def in_bucket(address, tmp_path):
    """A store in an empty bucket."""
    return bucket_store(address, tmp_path / "host")


@pytest.fixture
def network(address):
    """A way to the bucket's endpoint that does as it is told."""
    with bad_network(address.endpoint) as network:
        yield network


@pytest.fixture
def far(address, network, tmp_path):
    """A store in the bucket behind that way, which gives up early."""
    behind = network.url + urlsplit(address.endpoint).path
    return bucket_store(replace(address, endpoint=behind, retry_seconds=15), tmp_path / "far")


@pytest.fixture
def impatient(far, tmp_path):
    """A store behind that way that gives up at once."""
    return bucket_store(replace(far.address, retry_seconds=0.5), tmp_path / "impatient")
