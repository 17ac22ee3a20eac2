"""A shelf of real bundles (fitted once), stores to publish them in, and servers in this process or
in their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from pipelines.settings import Settings
from pipelines.store.local import LocalStore
from serving.app import create_app
from stack.patience import Patience
from stack.processes import cpu_seconds
from tests.serving.bundles import put_bundle, short_table

ROOT = Path(__file__).resolve().parents[2]
JSON = {"Content-Type": "application/json"}
ROW = {"distance": 500.0, "seats": 150, "weekend": False, "carrier": "UA"}


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """Bundles by name, in one store that nobody writes to afterwards."""
    store = LocalStore(tmp_path_factory.mktemp("shelf"))
    bundles = {
        "1": put_bundle(store, version="1", seed=1),
        "2": put_bundle(store, version="2", seed=2),
        "multiclass": put_bundle(store, model="delays", task="multiclass", seed=3),
        "regression": put_bundle(store, model="minutes", task="regression", seed=4),
        "quantiles": put_bundle(store, model="waits", task="quantiles", seed=6),
        "linear": put_bundle(
            store, model="miles", task="regression", seed=5, table=short_table(), linear=True
        ),
        "linear native": put_bundle(
            store,
            model="miles",
            task="regression",
            seed=5,
            table=short_table(),
            linear=True,
            compiled=False,
        ),
    }
    return store, bundles


@pytest.fixture
def bundles(shelf):
    return shelf[1]


@pytest.fixture
def store(shelf, tmp_path):
    """A store of this test's own, with every bundle of the shelf in it and no release."""
    shutil.copytree(shelf[0].root, tmp_path / "store")
    return LocalStore(tmp_path / "store")


@pytest.fixture
def settings(tmp_path):
    """Nobody looks for releases unasked: a test says when (`InProcess.look`)."""
    return Settings(state=tmp_path, serving_poll_seconds=60, body_limit=20_000, max_rows=50)


class InProcess:
    """An app with a plain client, without a socket; the app's life is that of the `with` block."""

    def __init__(self, app):
        self.app = app

    def __enter__(self):
        self._runner = asyncio.Runner()
        self._life = self.app.router.lifespan_context(self.app)
        self._runner.run(self._life.__aenter__())
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1:8000", headers=JSON
        )
        return self

    def __exit__(self, *_):
        self._runner.run(self._client.aclose())
        self._runner.run(self._life.__aexit__(None, None, None))
        self._runner.close()

    def request(self, method, path, **more) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **more))

    def get(self, path) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path, **more) -> httpx.Response:
        return self.request("POST", path, **more)

    def look(self) -> None:
        """Look for releases now."""
        self.app.state.follower.look()


@pytest.fixture
def serve(store, settings):
    """Start the app in this process; called with a store and settings of one's own, or none."""
    with contextlib.ExitStack() as stack:
        yield lambda own_store=None, own_settings=None: stack.enter_context(
            InProcess(create_app(own_settings or settings, own_store or store))
        )


@dataclass
class Running:
    """A server in a process of its own."""

    url: str
    process: subprocess.Popen
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def megabytes(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(happened, seconds: float = 30):
    """Return the first true answer of `happened`.

    Fail after `seconds`, or later where a server of the test still computes.
    """
    patience = Patience(
        seconds, lambda: cpu_seconds(child.pid for child in psutil.Process().children())
    )
    while not patience.is_over:
        value = happened()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail(f"nothing happened in {patience.seconds:.0f} s")


@contextlib.contextmanager
def launched(folder: Path, store: LocalStore, **environment):
    """Run `python -m serving` on the store, with its state and its log in the folder, while the
    block lasts."""
    port = environment.pop("port", None) or free_port()
    env = {
        "PERENNIAL_STATE": str(folder),
        "PERENNIAL_STORE": str(store.root),
        "PERENNIAL_SERVING_PORT": str(port),
        "PERENNIAL_SERVING_POLL_SECONDS": "0.05",
    }
    log = folder / f"server-{port}-{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving"],
            cwd=ROOT,
            env=os.environ | env | environment,
            stderr=out,
        )
    try:
        server = Running(f"http://127.0.0.1:{port}", process, log)
        wait_until(lambda: process.poll() is not None or _answers(server.url))
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def launch(store, tmp_path):
    """Start `python -m serving` on the test's store, as often as asked.

    Each is stopped at the end.
    """
    with contextlib.ExitStack() as stack:
        yield lambda **environment: stack.enter_context(launched(tmp_path, store, **environment))


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/health").status_code == 200
    return False
