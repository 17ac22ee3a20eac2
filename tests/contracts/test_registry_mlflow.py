"""The registry in MLflow.

What is seen there, and what only a server, a disk or a hostile model file can do.
"""

import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io

from pipelines.errors import BadData, StorageFull, Unreachable
from pipelines.mlflow_pages import find_experiment
from pipelines.refs import sha256
from pipelines.registry.mlflow import MlflowRegistry, _patient
from pipelines.settings import load_settings
from stack.patience import Patience
from stack.processes import cpu_seconds
from tests.contracts.processes import finish, small_disk, start

pytestmark = [
    # MLflow 3.17 uses a loader strategy that SQLAlchemy 2.1 deprecates, and warns of its own type
    # hints when it is imported.
    pytest.mark.filterwarnings(
        "ignore:The ``noload`` loader strategy is deprecated:sqlalchemy.exc.SADeprecationWarning"
    ),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

RUN = "manual__2026-01-01T00:00:00+00:00"
ROWS = np.arange(40.0).reshape(20, 2)


def client(uri):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


class TestMlflowRegistry:
    def test_a_note_is_kept_beside_all_runs_and_by_no_model(self, real):
        assert real.read_note("ledger-head") is None
        for text in ('{"count":1}', '{"count":2}'):
            real.note("ledger-head", text)
            assert real.read_note("ledger-head") == text
        assert real.versions("m") == []

    def test_what_was_logged_is_seen_in_mlflow(self, real, uri, tmp_path):
        parent = real.parent("m", RUN, {"reason": "drift"})
        child = real.child("m", parent, "k", "linear", {"estimator": "e"})
        real.log(
            child,
            params={"C": "1", "long": "x" * 7_000},
            metrics={"auc": 0.5, "bad": math.nan},
            tags={"seed": "3"},
        )
        (tmp_path / "page.html").write_text("page")
        real.attach(child, tmp_path / "page.html", "plots")
        run = client(uri).get_run(child)
        assert (run.data.params["C"], len(run.data.params["long"])) == ("1", 6_000)
        assert run.data.tags["mlflow.parentRunId"] == parent
        assert run.data.tags["mlflow.runName"] == "linear"
        assert run.data.tags["perennial.not_finite"] == "bad"
        assert [a.path for a in client(uri).list_artifacts(child, "plots")] == ["plots/page.html"]
        assert client(uri).get_experiment(run.info.experiment_id).name == "m"
        assert list((tmp_path / "artifacts" / "m").rglob("page.html"))

    def test_secrets_never_reach_the_database(self, real, uri, tmp_path, model_file):
        run = real.parent("m", RUN, {"db_password": "canary-0"})
        real.log(
            run,
            params={"aws_secret_access_key": "canary-1", "api_key": "canary-2"},
            metrics={},
            tags={"my_credentials": "canary-3"},
        )
        real.register("m", run, "k", model_file, {"token": "canary-4"})
        assert client(uri).get_run(run).data.params == {
            "aws_secret_access_key": "***",
            "api_key": "***",
        }
        for file in [p for p in tmp_path.rglob("*") if p.is_file()]:
            assert b"canary" not in file.read_bytes(), file

    def test_a_registered_version_is_a_real_mlflow_model(
        self, real, uri, fitted, model_file, tmp_path
    ):
        import mlflow.artifacts
        import mlflow.sklearn
        from mlflow.models import Model

        run = real.parent("m", RUN, {})
        version = real.register("m", run, "k", model_file, {})
        assert client(uri).get_model_version("m", version.version).source == f"runs:/{run}/model"
        folder = mlflow.artifacts.download_artifacts(
            artifact_uri=f"{client(uri).get_run(run).info.artifact_uri}/model",
            dst_path=str(tmp_path),
        )
        loaded = mlflow.sklearn.load_model(folder)
        assert np.array_equal(loaded.predict(ROWS), fitted.predict(ROWS))
        assert sha256((tmp_path / "model" / "model.skops").read_bytes()) == sha256(
            model_file.read_bytes()
        )
        assert set(Model.load(folder).flavors) == {"python_function", "sklearn"}

    def test_a_model_of_types_that_are_not_trusted_is_refused(self, real, tmp_path):
        file = tmp_path / "model.skops"
        io.dump(make_pipeline(StandardScaler(), DummyRegressor()).fit(ROWS, ROWS[:, 0]), file)
        hostile = tmp_path / "hostile.skops"
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(hostile, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                new.writestr(
                    name,
                    data.replace(b'"DummyRegressor"', b'"system"').replace(
                        b'"sklearn.dummy"', b'"os"'
                    ),
                )
        run = real.parent("m", RUN, {})
        with pytest.raises(BadData, match=r"os\.system"):
            real.register("m", run, "k", hostile, {})
        assert real.versions("m") == []

    def test_a_broken_model_file_is_refused(self, real, tmp_path, model_file):
        broken = tmp_path / "broken.skops"
        broken.write_bytes(model_file.read_bytes()[:-100])
        with pytest.raises(BadData, match=r"broken\.skops"):
            real.register("m", real.parent("m", RUN, {}), "k", broken, {})

    def test_a_deleted_experiment_is_restored(self, real, uri, tmp_path):
        run = real.parent("m", RUN, {})
        client(uri).delete_experiment(client(uri).get_run(run).info.experiment_id)
        again = MlflowRegistry(uri, artifacts=tmp_path / "artifacts")
        assert again.state(again.parent("m", "another", {})) == "RUNNING"

    def test_an_embedded_registry_has_no_page(self, real):
        assert real.page(real.parent("m", RUN, {})) is None

    def test_a_server_that_is_away_is_unreachable(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            away = MlflowRegistry(
                f"http://user:canary@127.0.0.1:{listener.getsockname()[1]}", artifacts=tmp_path
            )
            for call in (
                lambda: away.versions("m"),
                lambda: away.parent("m", RUN, {}),
                lambda: away.state("0" * 32),
            ):
                with pytest.raises(Unreachable, match=r"127\.0\.0\.1") as raised:
                    call()
                assert "canary" not in str(raised.value)

    def test_a_full_disk_for_artifacts_is_named(self, uri, tmp_path):
        with small_disk(tmp_path / "small", "256k") as disk:
            registry = MlflowRegistry(uri, artifacts=disk)
            (tmp_path / "large.html").write_bytes(b"x" * 1_000_000)
            with pytest.raises(StorageFull, match="MLflow"):
                registry.attach(registry.parent("m", RUN, {}), tmp_path / "large.html", "plots")

    @pytest.mark.parametrize(
        ("uri", "patient"),
        [
            ("sqlite:////a b/mlflow.db", "sqlite:////a b/mlflow.db?timeout=30"),
            ("sqlite:////50%25/x.db", "sqlite:////50%25/x.db?timeout=30"),
            ("sqlite:////x.db?timeout=5", "sqlite:////x.db?timeout=5"),
        ],
    )
    def test_it_waits_for_the_lock_of_a_database(self, uri, patient):
        assert _patient(uri) == patient

    def test_telemetry_is_off_and_mlflow_loads_late(self, tmp_path):
        program = (
            "import os, sys, pathlib; from pipelines.registry.mlflow import MlflowRegistry\n"
            "MlflowRegistry('sqlite:////nowhere/x.db', artifacts=pathlib.Path(sys.argv[1]))\n"
            "print('mlflow' in sys.modules, os.environ['MLFLOW_DISABLE_TELEMETRY'])"
        )
        assert finish(start(program, tmp_path)) == ["False true\n"]

    @pytest.mark.slow
    def test_processes_that_find_no_database_make_one(self, tmp_path):
        program = (
            "import sys, pathlib; from pipelines.registry.mlflow import MlflowRegistry\nroot ="
            " pathlib.Path(sys.argv[1])\nregistry ="
            " MlflowRegistry(f'sqlite:///{root}/mlflow/mlflow.db', artifacts=root /"
            " 'artifacts')\nparent = registry.parent('m', 'run', {})\nprint(parent,"
            " registry.child('m', parent, 'k', 'n', {}))"
        )
        assert len(set(finish(*(start(program, tmp_path) for _ in range(3))))) == 1

    @pytest.mark.slow
    def test_it_works_over_http_and_has_a_page(self, uri, tmp_path, model_file):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            "--backend-store-uri",
            uri,
            "--default-artifact-root",
            str(tmp_path / "artifacts"),
        ]
        with (tmp_path / "server.log").open("w") as output:
            server = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=tmp_path, start_new_session=True
            )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server)
            registry = MlflowRegistry(f"http://127.0.0.1:{port}", artifacts=tmp_path / "artifacts")
            run = registry.parent("m", RUN, {})
            registry.log(run, params={"a": "b"}, metrics={"auc": 0.5}, tags={})
            version = registry.register("m", run, "k", model_file, {})
            assert registry.register("m", run, "k", model_file, {}) == version
            registry.point("m", version.version)
            assert (registry.alias("m"), registry.metrics(run)) == ("1", {"auc": 0.5})
            address = f"http://127.0.0.1:{port}"
            training = "?workflowType=machine_learning"
            assert registry.page(run) == f"{address}/#/experiments/1/runs/{run}{training}"
            settings = load_settings({"PERENNIAL_MLFLOW_URI": address})
            assert find_experiment(settings, "m") == "1"
            assert find_experiment(settings, "another") is None
        finally:
            stop(server)


def wait_for(address, server):
    """Wait until a server answers, as long as it computes.

    MLflow's first start takes a minute on a busy machine.
    """
    patience = Patience(60, lambda: cpu_seconds([server.pid]))
    while not patience.is_over:
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{address} does not answer after {patience.seconds:.0f} s")


def stop(server):
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(timeout=30)
