"""Copies of Evidently's pages that earlier versions left in MLflow go; runs lead to the pages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from pipelines.ledger import MemoryLedger
from pipelines.ops.prune.page_copies import COPY, page_copies
from pipelines.ports import Ports
from pipelines.registry.mlflow import MlflowRegistry
from pipelines.registry.port import DESCRIPTION
from pipelines.run_names import watch_run
from pipelines.settings import load_settings
from pipelines.store.memory import MemoryStore
from pipelines.versions.memory import MemoryVersions
from stack.patience import Patience
from stack.processes import cpu_seconds
from tests.buckets import free_port
from tests.decisions import drift_check

pytestmark = [
    # MLflow 3.17 uses a loader strategy that SQLAlchemy 2.1 deprecates, and warns of its own type
    # hints when it is imported.
    pytest.mark.filterwarnings(
        "ignore:The ``noload`` loader strategy is deprecated:sqlalchemy.exc.SADeprecationWarning"
    ),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

RUN = "scheduled__2024-01-08T00:00:00+00:00"
LONG_AGO = 1_700_000_000_000


class Tracked:
    """Looks of an earlier version in an MLflow."""

    def __init__(self, folder, uri: str, *, proxied: bool) -> None:
        environ = {"PERENNIAL_HOME": str(folder), "PERENNIAL_MLFLOW_URI": uri}
        self.settings = load_settings(environ)
        self.registry = MlflowRegistry(uri, folder / "artifacts", proxied=proxied)
        self.ledger = MemoryLedger()
        self.ports = Ports(MemoryStore(), MemoryVersions(), self.registry, self.ledger)
        self.folder = folder

    def look(self, run: str, kind: str = "drift", ended: int | None = LONG_AGO) -> str:
        """Log a look, as an earlier version did; return its id in MLflow."""
        self.ledger.append("sales", run, drift_check(run=run))
        run_id = self.registry.parent("sales", watch_run(run), {"perennial.kind": kind})
        for name, text in (("evidently.html", "e" * 5_000), ("drift.html", "d")):
            (self.folder / name).write_text(text)
            self.registry.attach(run_id, self.folder / name, "drift")
        if ended:
            self.registry._client.set_terminated(run_id, "FINISHED", end_time=ended)
        return run_id

    def copies(self):
        return list(page_copies(self.settings, self.ports, LONG_AGO / 1_000 + 1))


def server(folder, uri: str, port: int) -> subprocess.Popen[bytes]:
    """Start a tracking server through which artifacts go."""
    options = {
        "host": "127.0.0.1",
        "port": port,
        "workers": 1,
        "backend-store-uri": uri,
        "artifacts-destination": folder / "served",
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "mlflow", "server", "--serve-artifacts", *arguments]
    # Nobody asks its runners of jobs: they would take much of a processor to begin.
    environ = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("w") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=output, cwd=folder, env=environ, start_new_session=True
        )


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    patience = Patience(60, lambda: cpu_seconds([process.pid]))
    while not patience.is_over:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer")


@pytest.fixture(params=["a file", pytest.param("a server", marks=pytest.mark.slow)])
def tracked(request, tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    if request.param == "a file":
        yield Tracked(tmp_path, uri, proxied=False)
        return
    MlflowRegistry(uri, tmp_path / "artifacts").versions("sales")
    port = free_port()
    process = server(tmp_path, uri, port)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield Tracked(tmp_path, f"http://127.0.0.1:{port}", proxied=True)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def test_a_copy_goes_and_the_run_leads_to_the_page_instead(tracked):
    run_id = tracked.look(RUN)
    running = tracked.look("running", ended=None)
    young = tracked.look("young", ended=LONG_AGO + 10_000)
    other = tracked.look("no look", kind="retrain")
    [copy] = tracked.copies()
    assert (copy.kind, copy.name, copy.bytes) == ("copy of a page", f"sales/{run_id}", 5_000)
    assert copy.remove()
    assert tracked.copies() == []
    registry = tracked.registry
    assert registry.find_artifact(run_id, COPY) is None
    assert registry.find_artifact(run_id, "drift/drift.html") == 1
    assert all(registry.find_artifact(left, COPY) for left in (running, young, other))
    said = registry._client.get_run(run_id).data.tags[DESCRIPTION]
    quoted = "scheduled__2024-01-08T00%3A00%3A00%2B00%3A00"
    assert f"(http://127.0.0.1:8080/perennial/pages/sales/evidently/{quoted})" in said


def test_where_mlflow_has_no_database_nothing_is_made(tmp_path):
    tracked = Tracked(tmp_path, f"sqlite:///{tmp_path}/none.db", proxied=False)
    tracked.ledger.append("sales", RUN, drift_check(run=RUN))
    assert tracked.copies() == []
    assert not (tmp_path / "none.db").exists()
