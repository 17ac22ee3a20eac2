"""How long each step of a retraining and of a look at a window takes, each in its own process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120
NOW = "2026-01-01T00:00:00Z"

Seconds = dict[str, float]


@dataclass(frozen=True)
class Life:
    """A model, and the moments at which it is retrained and looked at."""

    model: str
    candidates: tuple[str, ...]
    as_of: str
    window_end: str


def live(life: Life, environ: Mapping[str, str]) -> Seconds:
    """Retrain and look once with a fresh state; return the seconds of each step."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        mine = {
            **os.environ,
            **environ,
            "PERENNIAL_STATE": folder,
            "PERENNIAL_SERVING_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
        }
        with server(mine, Path(folder)):
            return retrain(life, mine, "retrain") | look(life, mine, "drift")


def retrain(life: Life, environ: Mapping[str, str], run: str, *, force: bool = False) -> Seconds:
    """Run each step of a retraining on the results of those before; return their seconds.

    With `force` each computes what is there already.
    """
    seconds: Seconds = {}

    def step(name: str, title: str = "", **body: Any) -> Any:
        seconds[title or name], result = run_step(life.model, environ, name, run=run, **body)
        return result

    ingest = step("ingest", now=NOW, conf={"as_of": life.as_of, "force": force})
    validate = step("validate", ingest=ingest)
    features = step("features", ingest=ingest, validate=validate)
    train = [
        step("train", f"train {name}", candidate=name, features=features)
        for name in life.candidates
    ]
    gate = step("gate", features=features, train=train)
    package = step("package", features=features, train=train, gate=gate)
    deploy = step("deploy", gate=gate, package=package)
    step("close", features=features, gate=gate, deploy=deploy)
    return seconds


def look(life: Life, environ: Mapping[str, str], run: str) -> Seconds:
    """Run each step of a look at a window; return their seconds."""
    seconds: Seconds = {}

    def step(name: str, **body: Any) -> Any:
        found = run_step(life.model, environ, name, run=run, **body)
        seconds[f"drift: {name}"], result = found
        return result

    ingest = step("ingest", now=NOW, purpose="drift", conf={"window_end": life.window_end})
    validate = step("validate", ingest=ingest)
    drift = step("drift", ingest=ingest, validate=validate)
    step("decide", drift=drift)
    return seconds


def run_step(
    model: str, environ: Mapping[str, str], step: str, **body: Any
) -> tuple[float, dict[str, Any]]:
    """Run a step as a worker does; return its seconds and its result."""
    command = [sys.executable, "-m", "pipelines", step, "--model", model]
    begin = time.monotonic()
    done = subprocess.run(
        [*command, "--request", json.dumps(body)],
        cwd=ROOT,
        env=dict(environ),
        check=False,
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"{step} ended with {done.returncode}:\n{done.stderr[-3_000:]}")
    return seconds, json.loads(done.stdout.strip().splitlines()[-1])["result"]


@contextlib.contextmanager
def server(environ: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Run the server that takes the release."""
    command = [sys.executable, "-m", "serving"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=dict(environ), stdout=log, stderr=log)
    try:
        await_url(f"http://127.0.0.1:{environ['PERENNIAL_SERVING_PORT']}/health", process)
        yield
    finally:
        process.terminate()
        process.wait()


def await_url(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a program answers. Raises SystemExit where it ends, or does not in time."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer.")


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
