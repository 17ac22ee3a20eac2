"""What models that nobody asks cost a server that drops them, and what the next question waits.

`python -m benchmarks.idle [--tiny]` from the checkout. One server holds many models (boosted trees,
compiled); after a while it drops them, and each is asked again.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.report import Measure, is_tiny, show, write
from benchmarks.serving import LOGGED, await_ready, start_server
from pipelines.bundle.load import read_golden, write_bundle
from pipelines.store.opening import open_store
from tests.serving.bundles import put_bundle, put_release, wide_table

if TYPE_CHECKING:
    from benchmarks.serving import RunningServer
    from pipelines.store.port import Store

MODELS, ITERATIONS, IDLE_SECONDS = 100, 300, 20
PATIENCE_SECONDS = 120


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a model was not dropped, or did not answer afterwards."""
    tiny = is_tiny(__doc__, argv)
    models, iterations, idle = (3, 5, 1) if tiny else (MODELS, ITERATIONS, IDLE_SECONDS)
    with tempfile.TemporaryDirectory(prefix="perennial-idle-") as folder:
        row = lay_models(open_store(str(Path(folder) / "store")), models, iterations)
        os.environ["PERENNIAL_SERVING_IDLE_SECONDS"] = str(idle)
        with start_server(folder, LOGGED) as server:
            await_ready(server.url)
            rows = measure(server, models, row)
    show("Models that nobody asks", rows)
    if not tiny:
        write("idle", rows)
    return 0


def lay_models(store: Store, models: int, iterations: int) -> dict[str, Any]:
    """Publish one bundle under so many models' names, and return a row that they answer."""
    bundle = put_bundle(store, table=wide_table(), iterations=iterations)
    manifest, golden = read_golden(store, bundle)
    for number in range(models):
        name = f"model_{number:03d}"
        put_release(
            store, 1, write_bundle(store, manifest.model_copy(update={"model": name})), model=name
        )
    return dict(golden.rows[0])


def measure(server: RunningServer, models: int, row: dict[str, Any]) -> list[Measure]:
    """Return what the server holds with and without its models, and how long they wait."""
    names = [f"model_{number:03d}" for number in range(models)]
    with httpx.Client(base_url=server.url, timeout=60) as client:
        loaded = _megabytes(server)
        _await_drops(client, names)
        dropped = _megabytes(server)
        first = [_ask(client, name, row) for name in names]
        second = [_ask(client, name, row) for name in names]
    title = f"{models} models"
    return [
        _row(f"{title}: memory of the server with all of them", loaded, "MB"),
        _row(f"{title}: memory once all were dropped", dropped, "MB"),
        _row(f"{title}: first answer of a dropped one, median", statistics.median(first), "ms"),
        _row(f"{title}: the longest of them", max(first), "ms"),
        _row(f"{title}: the answer after it, median", statistics.median(second), "ms"),
    ]


def _await_drops(client: httpx.Client, names: list[str]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while any(m["in_memory"] for m in client.get("/models").json()["models"]):
        if time.monotonic() > end:
            raise SystemExit(f"Not all of {len(names)} models were dropped.")
        time.sleep(0.5)


def _ask(client: httpx.Client, name: str, row: dict[str, Any]) -> float:
    """Return the milliseconds of one prediction, which must succeed."""
    begin = time.perf_counter()
    answer = client.post(f"/models/{name}/predict", json={"row": row})
    took = (time.perf_counter() - begin) * 1_000
    if answer.status_code != httpx.codes.OK:
        raise SystemExit(f"{name} answered {answer.status_code}: {answer.text[:300]}")
    return took


def _megabytes(server: RunningServer) -> float:
    return server.process.memory_info().rss / 2**20


def _row(words: str, value: float, unit: str) -> Measure:
    return {"measure": words, "value": round(value, 1), "unit": unit, "asked": ""}


if __name__ == "__main__":
    sys.exit(main())
