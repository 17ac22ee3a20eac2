"""What the server counts, in a registry of its own. Labels come from routes and served models, never from callers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of one app."""

    def __init__(self) -> None:
        """Register everything anew, so that two apps in one process do not share counts."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        one = {"registry": self.registry}
        self._requests = Counter("perennial_requests", "Requests answered.", ["model", "route", "status"], **one)
        self._seconds = Histogram("perennial_request_seconds", "From head to answer.", ["route"], buckets=SECONDS, **one)
        self._rows = Counter("perennial_rows", "Rows predicted.", ["model"], **one)
        self._invalid = Counter("perennial_outputs_invalid", "Answers of a model that were no valid number.", ["model"], **one)
        self._release = Gauge("perennial_release", "The release that serves.", ["model"], **one)
        self._swaps = Counter("perennial_release_swaps", "Releases that began to serve.", ["model"], **one)
        self._refusals = Counter("perennial_release_refusals", "Releases refused.", ["model"], **one)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, model: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        key = (model, route, status)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = (self._requests.labels(model, route, str(status)), self._seconds.labels(route))
        children[0].inc()
        children[1].observe(seconds)

    def predicted(self, model: str, rows: int) -> None:
        """Count predicted rows."""
        self._rows.labels(model).inc(rows)

    def invalid(self, model: str) -> None:
        """Count an answer of a model that was no valid number."""
        self._invalid.labels(model).inc()

    def swapped(self, model: str, release: int) -> None:
        """Count a release that began to serve."""
        self._release.labels(model).set(release)
        self._swaps.labels(model).inc()

    def refused(self, model: str) -> None:
        """Count a refused release."""
        self._refusals.labels(model).inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return bytes(generate_latest(self.registry))
