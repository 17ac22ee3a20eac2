"""One retraining and one look at a window with the state in a bucket, against a local folder.

`PERENNIAL_TEST_S3=http://… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… python -m benchmarks.bucket`

`flight_delays`: six batches to learn from, one to judge on, three candidates, packaged and taken by
a server; then the next month is looked at. Each step is a process, as a worker starts it. In the
bucket are the store, DVC's remote and MLflow's artifacts; ledger, git and MLflow's database are
beside it in both cases. The two are run in turn and compared by their medians.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import Measure, is_tiny, show, write

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
MODEL = "flight_delays"
AS_OF = os.environ.get("AS_OF", "2013-08-01T00:00:00Z")
WINDOW_END = os.environ.get("WINDOW_END", "2013-09-01T00:00:00Z")
CANDIDATES = ("baseline", "linear", "boosted")
RUNS, ASKED = int(os.environ.get("RUNS", "3")), 1.3
START_SECONDS = 120

Seconds = dict[str, float]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where the ratio is higher than asked, 65 without an endpoint."""
    tiny = is_tiny(__doc__, argv)
    url = os.environ.get("PERENNIAL_TEST_S3", "")
    if not url and not tiny:
        print("PERENNIAL_TEST_S3 names no endpoint.")
        return 65
    local, far = [], []
    with contextlib.ExitStack() as stack:
        endpoint = url or stack.enter_context(moto())
        for number in range(1 if tiny else RUNS):
            local.append(_live({}))
            print(f"run {number + 1}: {sum(local[-1].values()):.1f} s in a folder", flush=True)
            with _bucket(endpoint) as environ:
                far.append(_live(environ))
            print(f"run {number + 1}: {sum(far[-1].values()):.1f} s in a bucket", flush=True)
    rows = measures(local, far)
    show("State in a bucket", rows)
    if tiny:
        return 0
    write("bucket", rows)
    return int(rows[0]["value"] > ASKED)


def measures(local: list[Seconds], far: list[Seconds]) -> list[Measure]:
    """Return the ratio of the medians, and the medians of each step."""
    near_all, far_all = (statistics.median(sum(r.values()) for r in runs) for runs in (local, far))
    rows = [
        _row("retrain and drift in a bucket / in a folder", far_all / near_all, "", f"<= {ASKED}"),
        _row("in a folder", near_all, "s"),
        _row("in a bucket", far_all, "s"),
    ]
    for step in local[0]:
        rows += [
            _row(f"{step}: in a folder", statistics.median(r[step] for r in local), "s"),
            _row(f"{step}: in a bucket", statistics.median(r[step] for r in far), "s"),
        ]
    return rows


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 2), "unit": unit, "asked": asked}


def _live(environ: dict[str, str]) -> Seconds:
    """Run the steps with a fresh state; return the seconds of each."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        mine = {
            **os.environ,
            **environ,
            "PERENNIAL_STATE": folder,
            "PERENNIAL_SERVING_PORT": str(_free_port()),
            "PYTHONPATH": str(ROOT),
        }
        with _server(mine, Path(folder)):
            return _steps(mine)


def _steps(environ: dict[str, str]) -> Seconds:
    """Run each step on the results of those before."""
    seconds: Seconds = {}

    def run(step: str, name: str = "", **body: Any) -> Any:
        command = [sys.executable, "-m", "pipelines", step, "--model", MODEL]
        begin = time.monotonic()
        done = subprocess.run(
            [*command, "--request", json.dumps(body)],
            cwd=ROOT,
            env=environ,
            check=False,
            capture_output=True,
            text=True,
        )
        seconds[name or step] = time.monotonic() - begin
        if done.returncode:
            raise SystemExit(f"{step} ended with {done.returncode}:\n{done.stderr[-3_000:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])["result"]

    now, one = "2026-01-01T00:00:00Z", {"run": "retrain"}
    ingest = run("ingest", **one, now=now, conf={"as_of": AS_OF})
    validate = run("validate", **one, ingest=ingest)
    features = run("features", **one, ingest=ingest, validate=validate)
    train = [
        run("train", f"train {name}", **one, candidate=name, features=features)
        for name in CANDIDATES
    ]
    gate = run("gate", **one, features=features, train=train)
    package = run("package", **one, features=features, train=train, gate=gate)
    deploy = run("deploy", **one, gate=gate, package=package)
    run("close", **one, features=features, gate=gate, deploy=deploy)
    two = {"run": "drift"}
    conf = {"window_end": WINDOW_END}
    ingest = run("ingest", "drift: ingest", **two, now=now, purpose="drift", conf=conf)
    validate = run("validate", "drift: validate", **two, ingest=ingest)
    drift = run("drift", "drift: drift", **two, ingest=ingest, validate=validate)
    run("decide", "drift: decide", **two, drift=drift)
    return seconds


@contextlib.contextmanager
def _server(environ: dict[str, str], folder: Path) -> Iterator[None]:
    """Run the server that takes the release."""
    command = [sys.executable, "-m", "serving"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{environ['PERENNIAL_SERVING_PORT']}/health", process)
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _bucket(endpoint: str) -> Iterator[dict[str, str]]:
    """Yield the variables that put the state into an empty bucket; it is gone afterwards."""
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    name = f"perennial-bench-{secrets.token_hex(4)}"
    client.create_bucket(Bucket=name)
    try:
        yield {"PERENNIAL_STORE": f"s3://{name}/state", "PERENNIAL_STORE_ENDPOINT": endpoint}
    finally:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for item in page.get("Contents", ()):
                client.delete_object(Bucket=name, Key=item["Key"])
        client.delete_bucket(Bucket=name)


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """Run moto's server, which shows that the benchmark runs and judges nothing; yield its URL."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    port = str(_free_port())
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(f"http://127.0.0.1:{port}/moto-api/", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
