"""What the server counts. Labels come from routes and served models, never from callers.

With one worker the counts live in a registry of their own. With several, each worker keeps its
counts in files of one folder (prometheus_client's multiprocess mode, which the variable
PROMETHEUS_MULTIPROC_DIR switches on before that library is imported: `serving.workers` does), and
whichever worker is asked adds them up.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from serving.watch_metrics import WatchCollector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.store.port import Store

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

SHARED = "PROMETHEUS_MULTIPROC_DIR" in os.environ
"""Whether counts are kept in files.

Decided when this module is imported, as prometheus_client decides it.
"""


class Metrics:
    """Counters of one app."""

    def __init__(self) -> None:
        """Register everything anew, so that two apps in one process do not share counts."""
        self.registry = CollectorRegistry()
        if not SHARED:
            ProcessCollector(registry=self.registry)
        one: dict[str, Any] = {"registry": self.registry}
        all_have = {**one, "multiprocess_mode": "livemin"}  # what every living worker has reached
        self._requests = Counter(
            "perennial_requests", "Requests answered.", ["model", "route", "status"], **one
        )
        self._seconds = Histogram(
            "perennial_request_seconds", "From head to answer.", ["route"], buckets=SECONDS, **one
        )
        self._rows = Counter("perennial_rows", "Rows predicted.", ["model"], **one)
        self._invalid = Counter(
            "perennial_outputs_invalid",
            "Answers of a model that were no valid number.",
            ["model"],
            **one,
        )
        self._model_failures = Counter(
            "perennial_model_failures",
            "Requests that a model's own code failed to answer.",
            ["model"],
            **one,
        )
        self._drops = Counter(
            "perennial_model_drops",
            "Models that were dropped from memory, since nobody asked for them.",
            ["model"],
            **one,
        )
        self._batches = Histogram(
            "perennial_batch_requests",
            "Requests that one call of a model that is not compiled answered together.",
            ["model"],
            buckets=BATCHES,
            **one,
        )
        self._release = Gauge(
            "perennial_release",
            "The release that serves; of several workers, the oldest.",
            ["model"],
            **all_have,
        )
        self._swaps = Counter(
            "perennial_release_swaps", "Releases that began to serve.", ["model"], **one
        )
        self._refusals = Counter(
            "perennial_release_refusals", "Releases refused.", ["model"], **one
        )
        self._logged_rows = Counter(
            "perennial_log_rows", "Rows written to the inference log.", ["model"], **one
        )
        self._lost_rows = Counter(
            "perennial_log_lost_rows",
            "Rows answered and not in the inference log.",
            ["model"],
            **one,
        )
        self._failures = Counter(
            "perennial_log_failures",
            "Writes and flushes of the inference log that failed.",
            ["model", "what"],
            **one,
        )
        self._syncs = Histogram(
            "perennial_log_sync_seconds", "Flushing a segment to the disk.", buckets=SECONDS, **one
        )
        self._writable = Gauge(
            "perennial_log_writable",
            "1 while the inference log can be written.",
            ["model"],
            **all_have,
        )
        self._unsent = Gauge(
            "perennial_log_unsent_seconds",
            "Age of the oldest part of the inference log that is on this host only.",
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self._feedback = Counter(
            "perennial_feedback",
            "Labels that came, by what became of them.",
            ["model", "outcome"],
            **one,
        )
        self._labels = Counter("perennial_labels", "Labels accepted.", ["model"], **one)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._by_model: dict[str, tuple[Counter, Counter]] = {}

    def count_answer(self, model: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        key = (model, route, status)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = (
                self._requests.labels(model, route, str(status)),
                self._seconds.labels(route),
            )
        children[0].inc()
        children[1].observe(seconds)

    def count_predictions(self, model: str, rows: int) -> None:
        """Count predicted rows."""
        self._counters_of(model)[0].inc(rows)

    def count_logged(self, model: str, rows: int) -> None:
        """Count rows that are in the inference log."""
        self._counters_of(model)[1].inc(rows)

    def _counters_of(self, model: str) -> tuple[Counter, Counter]:
        children = self._by_model.get(model)
        if children is None:
            children = self._by_model[model] = (
                self._rows.labels(model),
                self._logged_rows.labels(model),
            )
        return children

    def count_invalid(self, model: str) -> None:
        """Count an answer of a model that was no valid number."""
        self._invalid.labels(model).inc()

    def count_model_failure(self, model: str) -> None:
        """Count a request that a model's own code failed to answer."""
        self._model_failures.labels(model).inc()

    def observe_batch(self, model: str, requests: int) -> None:
        """Count the requests of one call of a model."""
        self._batches.labels(model).observe(requests)

    def count_swap(self, model: str, release: int) -> None:
        """Count a release that began to serve."""
        self._release.labels(model).set(release)
        self._swaps.labels(model).inc()

    def count_drop(self, model: str) -> None:
        """Count a model that was dropped from memory."""
        self._drops.labels(model).inc()

    def count_refusal(self, model: str) -> None:
        """Count a refused release."""
        self._refusals.labels(model).inc()

    def count_lost(self, model: str, rows: int) -> None:
        """Count rows that were answered although the inference log could not be written."""
        self._lost_rows.labels(model).inc(rows)

    def count_log_failure(self, model: str, what: str) -> None:
        """Count a failed "write" or "sync" of the inference log."""
        self._failures.labels(model, what).inc()

    def observe_flush(self, seconds: float) -> None:
        """Count a flush of a segment."""
        self._syncs.observe(seconds)

    def set_log_writable(self, model: str, *, writable: bool) -> None:
        """Say whether the model's inference log can be written now."""
        self._writable.labels(model).set(int(writable))

    def set_unsent(self, seconds: float) -> None:
        """Say how old the oldest segment is that a lost host would lose."""
        self._unsent.set(seconds)

    def count_label(self, model: str, outcome: str) -> None:
        """Count a label by what became of it."""
        self._feedback.labels(model, outcome).inc()
        if outcome == "accepted":
            self._labels.labels(model).inc()

    def text(self, store: Store, models: Iterable[str]) -> bytes:
        """Return everything in Prometheus' text format, with what the newest watch of each model
        found.
        """
        registry = CollectorRegistry()
        registry.register(WatchCollector(store, models))
        counts = self.registry
        if SHARED:
            counts = CollectorRegistry()
            MultiProcessCollector(counts)
        return bytes(generate_latest(counts)) + bytes(generate_latest(registry))
