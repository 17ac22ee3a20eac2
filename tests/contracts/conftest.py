"""Fixtures of the contract tests: MLflow with a database made once, and a fitted model."""

import shutil

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io

from pipelines.registry.mlflow import MlflowRegistry

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
