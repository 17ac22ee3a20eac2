"""How many predictions one core gives over HTTP, and what the inference log costs.

`python -m benchmarks.serving`.

The server runs on core 0 with a gradient boosting model of 12 inputs, wrk on core 1 with 16
connections and one row per request. A second server, without the inference log, takes turns with
it; the middle of five runs of each counts.
"""

from __future__ import annotations

import contextlib
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
from typing import TYPE_CHECKING, NamedTuple

import httpx
import psutil

from benchmarks.report import LOAD_BEFORE, Measure, is_tiny, show, write
from pipelines.store.opening import open_store
from tests.serving.bundles import put_bundle, put_release, wide_table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
RUNS, SECONDS, ITERATIONS, CONNECTIONS, ASKED, COST_ASKED = 5, 6, 100, 16, 2_000, 15
LOGGED = [sys.executable, "-m", "serving"]
UNLOGGED = [
    sys.executable,
    "-c",
    (
        "from pipelines.settings import load_settings; from serving.__main__ import server;"
        " server(load_settings(), logged=False).run()"
    ),
]
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1_000.0}


QUIET = 0.5


class Run(NamedTuple):
    """One run of wrk: the 99th percentile in milliseconds, the server's processor time per request
    in microseconds.
    """

    per_second: float
    p99: float
    cost: float
    failures: int


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write.

    1 where wrk is missing, a request failed, or less than asked was reached.
    """
    tiny = is_tiny(__doc__, argv)
    runs_each, seconds, iterations = (1, 1, 5) if tiny else (RUNS, SECONDS, ITERATIONS)
    if not (shutil.which("wrk") and shutil.which("taskset")):
        print(
            "wrk or taskset is missing (Debian: apt-get install wrk util-linux); nothing was"
            " measured."
        )
        return 1
    if LOAD_BEFORE > QUIET:
        print(f"The machine is busy (load {LOAD_BEFORE}): expect less than it can do.")
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        store = open_store(str(Path(folder) / "store"))
        put_release(store, 1, put_bundle(store, table=wide_table(), iterations=iterations))
        with (
            start_server(folder, LOGGED) as with_log,
            start_server(folder, UNLOGGED) as without_log,
        ):
            runs, unlogged_runs = _measure(Path(folder), with_log, without_log, runs_each, seconds)
            memory = round(with_log.process.memory_info().rss / 2**20, 1)
    return _report(runs, unlogged_runs, memory, tiny=tiny)


class RunningServer(NamedTuple):
    """A server that runs."""

    url: str
    process: psutil.Process


@contextlib.contextmanager
def start_server(folder: str, command: list[str]) -> Iterator[RunningServer]:
    """Yield a server on core 0 that follows the store in the folder."""
    port = _free_port()
    environment = {
        **os.environ,
        "PERENNIAL_STATE": folder,
        "PERENNIAL_SERVING_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    server = subprocess.Popen(["taskset", "-c", "0", *command], cwd=ROOT, env=environment)
    try:
        yield RunningServer(f"http://127.0.0.1:{port}", psutil.Process(server.pid))
    finally:
        server.terminate()
        server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _measure(
    folder: Path, with_log: RunningServer, without_log: RunningServer, runs: int, seconds: int
) -> tuple[list[Run], list[Run]]:
    """Return what each run gave with the log and without it, after a warm-up where it counts.

    They take turns, so that noise meets both.
    """
    document = await_ready(with_log.url)
    await_ready(without_log.url)
    script = write_script(folder, document)
    if runs > 1:
        for server in (with_log, without_log):
            run_wrk(server, script, min(2, seconds))
    turns = [
        (run_wrk(with_log, script, seconds), run_wrk(without_log, script, seconds))
        for _ in range(runs)
    ]
    return [with_ for with_, _ in turns], [unlogged_runs for _, unlogged_runs in turns]


def write_script(folder: Path, document: dict) -> Path:
    """Write what wrk sends: the example of the server's own document, one row."""
    row = document["paths"]["/models/flights/predict"]["post"]["requestBody"]["content"][
        "application/json"
    ]["example"]["rows"][0]
    body = json.dumps(
        {"row": row, "key": "2013-03-01/UA/1545", "event_time": "2013-03-01T10:15:00Z"}
    )
    script = folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body ='
        f" [[{body}]]\n",
        encoding="utf-8",
    )
    return script


def await_ready(url: str) -> dict:
    """Return the server's document once it is ready."""
    for _ in range(300):
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return httpx.get(f"{url}/openapi.json").json()
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("The server was not ready within 30 seconds.")


def run_wrk(server: RunningServer, script: Path, seconds: int) -> Run:
    """Ask from core 1 for so many seconds."""
    command = [
        "taskset",
        "-c",
        "1",
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(script),
    ]
    before = _processor_seconds(server.process)
    out = subprocess.run(
        [*command, f"{server.url}/models/flights/predict"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    processor_seconds = _processor_seconds(server.process) - before
    per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    requests = int(re.search(r"(\d+) requests in", out)[1])
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    failures = [int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", out)]
    failures += [
        int(n) for line in re.findall(r"Socket errors: (.*)", out) for n in re.findall(r"\d+", line)
    ]
    return Run(
        per_second,
        float(p99[1]) * MILLISECONDS[p99[2]],
        1e6 * processor_seconds / requests,
        sum(failures),
    )


def _processor_seconds(server: psutil.Process) -> float:
    times = server.cpu_times()
    return times.user + times.system


def _report(runs: list[Run], unlogged_runs: list[Run], memory: float, *, tiny: bool) -> int:
    per_second, p99, cost = (statistics.median(run[i] for run in runs) for i in range(3))
    bare, _, bare_cost = (statistics.median(run[i] for run in unlogged_runs) for i in range(3))
    cost_of_log = round(100 * (1 - per_second / bare), 1)
    failures = sum(run.failures for run in runs + unlogged_runs)
    rows: list[Measure] = [
        {
            "measure": "predictions of one row, one core",
            "value": round(per_second),
            "unit": "requests/s",
            "asked": f">= {ASKED}",
        },
        {
            "measure": "99th percentile of their latency",
            "value": round(p99, 2),
            "unit": "ms",
            "asked": "",
        },
        {
            "measure": "processor time per prediction",
            "value": round(cost),
            "unit": "us",
            "asked": "",
        },
        {
            "measure": "the same without the inference log",
            "value": round(bare),
            "unit": "requests/s",
            "asked": "",
        },
        {
            "measure": "logging costs",
            "value": cost_of_log,
            "unit": "%",
            "asked": f"<= {COST_ASKED}",
        },
        {
            "measure": "logging costs, in processor time",
            "value": round(cost - bare_cost),
            "unit": "us",
            "asked": "",
        },
        {"measure": "failed requests", "value": failures, "unit": "requests", "asked": "== 0"},
        {"measure": "memory of the server", "value": memory, "unit": "MB", "asked": ""},
    ]
    show("Serving", rows)
    if tiny:
        return int(bool(failures))
    write("serving", rows)
    return 0 if per_second >= ASKED and cost_of_log <= COST_ASKED and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
