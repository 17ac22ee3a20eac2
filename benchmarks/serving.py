"""How many predictions one core gives over HTTP: `python -m benchmarks.serving` from the checkout.

The server runs on core 0 with a gradient boosting model of 12 inputs, wrk on core 1 with 16 connections and one row per
request; the middle of three runs counts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

from benchmarks.report import LOAD_BEFORE, Measure, show, write
from pipelines.store import LocalStore
from tests.serving.bundles import put_bundle, put_release, wide_table

ROOT = Path(__file__).resolve().parents[1]
RUNS, SECONDS, CONNECTIONS, ASKED = 3, 8, 16, 2_000
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1_000.0}


QUIET = 0.5


class Run(NamedTuple):
    """One run of wrk: the 99th percentile in milliseconds, the server's processor time per request in microseconds."""

    per_second: float
    p99: float
    cost: float
    failed: int


def main() -> int:
    """Measure, print, write; 1 where wrk is missing, a request failed, or less than asked was reached."""
    if not (shutil.which("wrk") and shutil.which("taskset")):
        print("wrk or taskset is missing (Debian: apt-get install wrk util-linux); nothing was measured.")
        return 1
    if LOAD_BEFORE > QUIET:
        print(f"The machine is busy (load {LOAD_BEFORE}): expect less than it can do.")
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        store = LocalStore(Path(folder) / "store")
        put_release(store, 1, put_bundle(store, table=wide_table(), iterations=100))
        port = _free_port()
        command = ["taskset", "-c", "0", sys.executable, "-m", "serving"]
        environment = {**os.environ, "PERENNIAL_STATE": folder, "PERENNIAL_SERVING_PORT": str(port)}
        server = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            runs = _measured(f"http://127.0.0.1:{port}", Path(folder), psutil.Process(server.pid))
            memory = round(psutil.Process(server.pid).memory_info().rss / 2**20, 1)
        finally:
            server.terminate()
            server.wait(timeout=30)
    return _reported(runs, memory)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _measured(url: str, folder: Path, server: psutil.Process) -> list[Run]:
    """Return what each run gave, after a warm-up."""
    document = _ready(url)
    body = json.dumps(document["paths"]["/models/flights/predict"]["post"]["requestBody"]["content"]["application/json"]["example"])
    script = folder / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[{body}]]\n', encoding="utf-8")
    _wrk(url, script, 2, server)
    return [_wrk(url, script, SECONDS, server) for _ in range(RUNS)]


def _ready(url: str) -> dict:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return httpx.get(f"{url}/openapi.json").json()
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("The server was not ready within 30 seconds.")


def _wrk(url: str, script: Path, seconds: int, server: psutil.Process) -> Run:
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script)]
    before = _processor_seconds(server)
    out = subprocess.run([*command, f"{url}/models/flights/predict"], check=True, capture_output=True, text=True).stdout
    used = _processor_seconds(server) - before
    per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    answered = int(re.search(r"(\d+) requests in", out)[1])
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    failed = [int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", out)]
    failed += [int(n) for line in re.findall(r"Socket errors: (.*)", out) for n in re.findall(r"\d+", line)]
    return Run(per_second, float(p99[1]) * MILLISECONDS[p99[2]], 1e6 * used / answered, sum(failed))


def _processor_seconds(server: psutil.Process) -> float:
    times = server.cpu_times()
    return times.user + times.system


def _reported(runs: list[Run], memory: float) -> int:
    per_second, p99, cost = (statistics.median(run[i] for run in runs) for i in range(3))
    rows: list[Measure] = [
        {"measure": "predictions of one row, one core", "value": round(per_second), "unit": "requests/s", "asked": f">= {ASKED}"},
        {"measure": "99th percentile of their latency", "value": round(p99, 2), "unit": "ms", "asked": ""},
        {"measure": "processor time per prediction", "value": round(cost), "unit": "us", "asked": ""},
        {"measure": "failed requests", "value": sum(run.failed for run in runs), "unit": "requests", "asked": "== 0"},
        {"measure": "memory of the server", "value": memory, "unit": "MB", "asked": ""},
    ]
    write("serving", rows)
    show("Serving", rows)
    return 0 if rows[0]["value"] >= ASKED and not rows[3]["value"] else 1


if __name__ == "__main__":
    sys.exit(main())
