"""A worker that is cut off while its step goes on, and comes back when another one has done it.

Two hosts with nothing in common but a bucket, PostgreSQL and MLflow; each step is a process. The
first host's way to one of them is cut in the middle of a write, the second one does the same step,
and then the first one's write arrives after all. Every effect is there once.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import make_url

from pipelines.cli.running import context_for, run_step
from pipelines.errors import TryAgain
from pipelines.settings import load_settings
from tests.buckets import free_port
from tests.conftest import ROOT
from tests.contracts.processes import await_end
from tests.contracts.test_registry_mlflow import wait_for
from tests.held_line import held_line
from tests.worlds import FOR_NOBODY, as_of, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipelines.context import Context
    from tests.held_line import HeldLine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MODEL = "sales"
CUT_SECONDS = 120
LEDGER, MLFLOW, STORE = "PERENNIAL_LEDGER_URL", "PERENNIAL_MLFLOW_URI", "PERENNIAL_STORE_ENDPOINT"


@dataclass
class Hosts:
    """Hosts that share a bucket, a ledger and MLflow, and their world."""

    folder: Path
    home: Path
    shared: dict[str, str]

    def environ(self, host: str, **changes: str) -> dict[str, str]:
        own = {"PERENNIAL_HOME": str(self.home), "PERENNIAL_STATE": str(self.folder / host)}
        return {**self.shared, **own, **FOR_NOBODY, **changes}

    def context(self) -> Context:
        """A host that does what leads up to a test, in this process."""
        return context_for(MODEL, load_settings(self.environ("before")))

    @contextlib.contextmanager
    def cut_at(self, variable: str, hold_at: bytes) -> Iterator[tuple[HeldLine, dict[str, str]]]:
        """Yield a way to a server that is cut at some bytes, and the variable that leads there."""
        address = self.shared[variable]
        parts = urlsplit(address)
        assert parts.hostname, address
        assert parts.port, address
        with held_line(parts.hostname, parts.port, hold_at) as line:
            # Without TLS, which this server has not, its statements can be read on the line.
            yield line, {variable: address.replace(f":{parts.port}", f":{line.port}")}

    @contextlib.contextmanager
    def at_work(
        self, environ: Mapping[str, str], step: str, body: Mapping[str, Any]
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a step's process, as a worker does."""
        command = [sys.executable, "-m", "pipelines", step, "--model", MODEL]
        with subprocess.Popen(
            [*command, "--request", json.dumps(body)],
            env={**environ, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, host: str, step: str, body: Mapping[str, Any]) -> Ending:
        with self.at_work(self.environ(host), step, body) as process:
            return end(process)


@dataclass(frozen=True)
class Ending:
    """How a step's process ended."""

    code: int
    result: dict[str, Any] | None
    words: str


def end(process: subprocess.Popen[str]) -> Ending:
    out, words = await_end(process)
    lines = out.strip().splitlines()
    result = json.loads(lines[-1])["result"] if lines else None
    return Ending(process.returncode, result, words)


@pytest.fixture(scope="module")
def hosts(databases, moto_endpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts")
    world = make_world(folder / "home")
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(moto_endpoint.bucket(prefix="state"))
        url = make_url(databases.shop("postgresql", folder).url)
        shared = {
            **moto_endpoint.environment(address),
            LEDGER: url.render_as_string(hide_password=False),
            MLFLOW: stack.enter_context(_mlflow(folder / "mlflow")),
            "PERENNIAL_MLFLOW_PROXIED": "true",
        }
        key = folder / "key"
        key.touch(mode=0o600)
        key.write_text(
            f"[default]\naws_access_key_id = {moto_endpoint.key_id}\n"
            f"aws_secret_access_key = {moto_endpoint.secret}\n"
        )
        shared["PERENNIAL_STORE_CREDENTIALS"] = str(key)
        hosts = Hosts(folder, world.home, shared)
        stack.enter_context(_server(hosts))
        yield hosts


@contextlib.contextmanager
def _running(command: list[str], environ: dict[str, str], folder: Path, url: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environ, stdout=log, stderr=log
        )
    try:
        wait_for(url, process)
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _mlflow(folder: Path) -> Iterator[str]:
    """Run a tracking server that hands on artifacts itself; yield its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environ = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with _running(command, environ, folder, f"{url}/health"):
        yield url


@contextlib.contextmanager
def _server(hosts: Hosts) -> Iterator[None]:
    """Run the server that follows the releases in the bucket."""
    port = str(free_port())
    hosts.shared["PERENNIAL_SERVING_PORT"] = port
    environ = {**hosts.environ("server"), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    url = f"http://127.0.0.1:{port}/health"
    with _running(["serving"], environ, hosts.folder / "server", url):
        yield


@pytest.fixture(scope="module")
def trained(hosts):
    """What leads up to a verdict: the features, and the trained candidates."""
    context = hosts.context()
    run = {"run": "before"}

    def step(name: str, **body: Any) -> dict[str, Any]:
        return run_step(context, name, {**run, **body}).model_dump(mode="json")

    ingested = step("ingest", now="2026-01-01T00:00:00Z", conf={"as_of": as_of(3)})
    validated = step("validate", ingest=ingested)
    features = step("features", ingest=ingested, validate=validated)
    names = [candidate.name for candidate in context.spec.candidates]
    train = [step("train", candidate=name, features=features) for name in names]
    return {"features": features, "train": train}


@pytest.fixture
def later(hosts, trained, request):
    """A run up to a step that is to be done, by its requests."""
    run = request.node.callspec.id if hasattr(request.node, "callspec") else request.node.name
    context = hosts.context()

    def up_to(step: str) -> dict[str, Any]:
        body: dict[str, Any] = {"run": run, **trained}
        for name in ("gate", "package", "deploy"):
            if name == step:
                break
            done = run_step(context, name, _part(name, body))
            body[name] = done.model_dump(mode="json")
        return _part(step, body)

    return up_to


NEEDS = {
    "gate": ("features", "train"),
    "package": ("features", "train", "gate"),
    "deploy": ("gate", "package"),
}


def _part(step: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"run": body["run"], **{name: body[name] for name in NEEDS[step]}}


CUTS = [
    pytest.param("gate", MLFLOW, b"model-versions/create", id="before_its_version_is_registered"),
    pytest.param("gate", LEDGER, b"INSERT INTO entries", id="before_its_verdict_is_written"),
    pytest.param(
        *("package", STORE, rb"PUT [^ ]*/results/package/"),
        id="before_its_bundle_is_published",
        marks=pytest.mark.long,
    ),
    pytest.param(
        *("deploy", LEDGER, b"INSERT INTO entries"),
        id="before_its_release_is_written",
        marks=pytest.mark.long,
    ),
]


@pytest.mark.parametrize(("step", "variable", "hold_at"), CUTS)
def test_what_comes_late_changes_nothing(hosts, later, step, variable, hold_at):
    body = later(step)
    with (
        hosts.cut_at(variable, hold_at) as (line, way),
        hosts.at_work(hosts.environ("cut", **way), step, body) as cut_off,
    ):
        assert line.was_cut.wait(CUT_SECONDS), f"it never came to {hold_at!r}"
        other = hosts.run("other", step, body)
        assert other.code == 0, other.words
        before = effects(hosts, body["run"])
        line.mend()
        late = end(cut_off)
    assert late.code in {0, TryAgain.exit_code}, late.words
    assert late.result in (None, other.result)
    assert effects(hosts, body["run"]) == before
    assert max(before.values()) == 1, before
    again = hosts.run("cut", step, body)
    assert again.result == other.result, again.words
    assert effects(hosts, body["run"]) == before
    hosts.context().ports.ledger.verify()


def effects(hosts: Hosts, run: str) -> dict[str, int]:
    """How often each thing is there that a run may do once."""
    ports = hosts.context().ports
    entries = [entry for entry in ports.ledger.entries(MODEL) if entry.key == run]
    kinds = {entry.kind for entry in entries}
    versions = [v for v in ports.registry.versions(MODEL) if v.tags.get("run") == run]
    releases = [
        entry
        for key in ports.store.keys(f"releases/{MODEL}")
        if (entry := ports.store.read(key)) and run.encode() in entry
    ]
    return {
        **{kind: sum(entry.kind == kind for entry in entries) for kind in kinds},
        "versions": len(versions),
        "releases": len(releases),
    }
