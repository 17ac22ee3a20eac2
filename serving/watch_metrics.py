"""What the newest watch of each model found, for Prometheus.

It is read from the store whenever it is asked for, so that every worker tells the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.core import GaugeMetricFamily

from pipelines.errors import PerennialError
from pipelines.store.drift_figures import newest_figures
from serving.event_log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipelines.store.drift_figures import DriftFigures
    from pipelines.store.port import Store

VERDICTS = ("no_drift", "drift", "alarm", "not_enough_data")

_PLAIN: dict[str, tuple[str, Callable[[DriftFigures], float | None]]] = {
    "perennial_drift_columns": ("Inputs of the newest window that drifted.", lambda f: f.drifted),
    "perennial_drift_columns_watched": (
        "Inputs of the newest window that were looked at, comparable or not.",
        lambda f: f.columns,
    ),
    "perennial_drift_rows": ("Rows of the newest window.", lambda f: f.rows),
    "perennial_label_coverage": (
        "Share of the newest window's rows whose label is known.",
        lambda f: f.coverage,
    ),
    "perennial_drift_window_end_seconds": (
        "When the newest window ended, in seconds since 1970.",
        lambda f: f.window_end.timestamp(),
    ),
}


class WatchCollector:
    """A collector of prometheus_client over some models of one store."""

    def __init__(self, store: Store, models: Iterable[str]) -> None:
        """Remember what to read."""
        self._store = store
        self._models = sorted(models)

    def collect(self) -> Iterator[Any]:
        """Yield the gauges.

        A model that was never watched is in none of them, what is not known of one neither.
        """
        figures_by_model = {
            model: figures for model in self._models if (figures := self._read(model)) is not None
        }
        verdicts = GaugeMetricFamily(
            "perennial_drift_verdict",
            "1 for the verdict on the newest window, 0 for the others.",
            labels=["model", "verdict"],
        )
        for model, figures in figures_by_model.items():
            for verdict in VERDICTS:
                verdicts.add_metric([model, verdict], float(figures.verdict == verdict))
        yield verdicts
        for name, (words, value) in _PLAIN.items():
            gauge = GaugeMetricFamily(name, words, labels=["model"])
            for model, figures in figures_by_model.items():
                if (number := value(figures)) is not None:
                    gauge.add_metric([model], float(number))
            yield gauge
        yield _metric(
            "perennial_live_metric",
            "The champion's metric on the newest window's labelled rows.",
            figures_by_model,
            lambda f: f.live,
        )
        yield _metric(
            "perennial_expected_metric",
            "The champion's metric on its holdout.",
            figures_by_model,
            lambda f: f.expected,
        )

    def _read(self, model: str) -> DriftFigures | None:
        try:
            return newest_figures(self._store, model)
        except (PerennialError, OSError) as error:
            log.warning(
                "The figures of the newest watch cannot be read.",
                extra={"model": model, "reason": type(error).__name__},
            )
            return None


def _metric(
    name: str,
    words: str,
    figures_by_model: dict[str, DriftFigures],
    value: Callable[[DriftFigures], float | None],
) -> Any:
    gauge = GaugeMetricFamily(name, words, labels=["model", "metric"])
    for model, figures in figures_by_model.items():
        number = value(figures)
        if number is not None:
            gauge.add_metric([model, figures.metric], number)
    return gauge
