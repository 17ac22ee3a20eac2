"""Twenty rolling updates in a row on a real cluster, under constant load on the model's Service.

`python -m benchmarks.rolling` (needs a cluster, KUBECONFIG, and `make images`).

Two versions take turns on two pods. Four clients send requests without a pause, each over a
connection that it keeps, and count every answer that is not the right one.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import urllib3

from benchmarks.report import LOAD_BEFORE, Measure, is_tiny, show, write
from pipelines.errors import PerennialError
from tests.buckets import moto
from tests.cluster.deployments import Model, cluster_yard
from tests.cluster.reaching import answers, host_address

if TYPE_CHECKING:
    from tests.asking import Asked

UPDATES, CLIENTS, PODS = 20, 4, 2
QUIET = 0.5
SENT_SECONDS = 90.0


class Update(NamedTuple):
    """One rolling update: its seconds, and those in which both releases answered."""

    total: float
    both: float


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a request failed, or an answer is not in the log."""
    tiny = is_tiny(__doc__, argv)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("perennial").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=urllib3.exceptions.InsecureRequestWarning)
    if not answers():
        print("No Kubernetes cluster answers (KUBECONFIG): nothing was measured.")
        return 0 if tiny else 1
    if LOAD_BEFORE > QUIET:
        print(f"The machine is busy (load {LOAD_BEFORE}): expect less than it can do.")
    with (
        tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder,
        moto(host_address()) as endpoint,
        cluster_yard(Path(folder), endpoint, os.environ.get("BENCHMARK_NAME", "rolling")) as yard,
    ):
        model = yard.model(replicas=PODS)
        # What the bucket is asked is the deploying process's own
        os.environ |= {
            "AWS_ACCESS_KEY_ID": endpoint.key_id,
            "AWS_SECRET_ACCESS_KEY": endpoint.secret,
        }
        model.deploy("2")
        with model.asked(askers=CLIENTS, pause=0.002) as load:
            began = time.monotonic()
            updates = [
                _update(model, "12"[number % 2], load) for number in range(1 if tiny else UPDATES)
            ]
            seconds = time.monotonic() - began
        missing = _missing(model, load)
    return _report(updates, load, seconds, missing, tiny=tiny)


def _update(model: Model, version: str, load: Asked) -> Update:
    old, began = model.next_release - 1, time.monotonic()
    release = _deploy(model, version)
    total = time.monotonic() - began
    first = min((t for t in [load.first.get(release)] if t), default=began)
    last = load.last.get(old, first)
    return Update(total, max(0.0, last - first))


def _deploy(model: Model, version: str) -> int:
    try:
        number: int = model.deploy(version).release
    except PerennialError as error:
        raise SystemExit(f"An update did not end: {error}") from error
    return number


def _missing(model: Model, load: Asked) -> int:
    """Return how many answers are not in the log, once the pods have sent theirs."""
    end = time.monotonic() + SENT_SECONDS
    while True:
        missing = sum(load.answers.values()) - sum(model.logged().values())
        if not missing or time.monotonic() > end:
            return missing
        time.sleep(1)


def _report(updates: list[Update], load: Asked, seconds: float, missing: int, *, tiny: bool) -> int:
    failures = len(load.failures)
    for words in sorted(set(load.failures))[:5]:
        print(words)
    show("Rolling updates on Kubernetes", rows := _rows(updates, load, seconds, missing))
    if not tiny:
        write("rolling", rows)
    return int(bool(failures or missing))


def _rows(updates: list[Update], load: Asked, seconds: float, missing: int) -> list[Measure]:
    total, both = (list(column) for column in zip(*updates, strict=True))
    middle, answered = statistics.median, sum(load.answers.values())
    return [
        _row("rolling updates in a row", len(updates), "updates", f"== {UPDATES}"),
        _row("pods", PODS, "pods"),
        _row("failed requests", len(load.failures), "requests", "<= 0"),
        _row("answered requests", answered, "requests"),
        _row("answers missing in the inference log", missing, "requests", "<= 0"),
        _row("load", round(answered / seconds), "requests/s"),
        _row("update, order to settled, middle", round(middle(total), 1), "s"),
        _row("update, order to settled, slowest", round(max(total), 1), "s"),
        _row("both releases answer, middle", round(middle(both), 1), "s"),
    ]


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": value, "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
