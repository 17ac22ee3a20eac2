"""The metrics of a model's own, bound to rows: what `metrics.py` says each of them counts.

A binary model's metric of labels is asked twice for a set of rows, once as if all were decided for
class 0 and once for class 1: whatever a model, a fold, a threshold or a draw decides, its cost then
follows by sums. Other metrics are asked for each set of answers.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines import user_code
from pipelines.errors import PerennialError
from pipelines.levels import level_names
from pipelines.refs import sha256
from pipelines.science.own_metrics import Measures, RowMetric, by_decision
from pipelines.sources.memory_limit import most_memory
from pipelines.tasks import answers_scores, finds_classes, has_named_classes, learns_named_classes
from pipelines.training.clusters.space import measure_clusters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.context import Context
    from pipelines.spec import Spec
    from pipelines.spec.own_metrics import OwnMetric

    Array = np.ndarray[Any, Any]

FILE = "metrics.py"
_KEPT = 8
"""Sets of answers whose values are remembered: scoring, comparing and drawing ask for the same."""


def measure_rows(
    context: Context,
    rows: pa.Table,
    y: Array,
    classes: list[str] | None,
    levels: Sequence[float] | None = None,
) -> Measures:
    """Return what answers to these rows are scored by.

    `rows` hold at least the inputs that are not personal, `y` (n,) is as in `science.metrics`, and
    `classes` name those of a multiclass model, `levels` are those of quantiles (default: the
    spec's). The functions are only run where the spec names
    metrics of its own. Raises SpecError naming metrics.py and what is wrong with it.
    """
    spec = context.spec
    if finds_classes(spec.task):
        return measure_clusters(rows, spec)
    levels = spec.levels if levels is None else tuple(levels)
    if not spec.own_metrics:
        return Measures(levels=levels, of_scores=answers_scores(spec.task))
    seen = rows.select([c for c in visible_columns(spec) if c in rows.column_names])
    return Measures(
        {
            name: _Asked(context, name, metric).on(seen, y, classes, levels)
            for name, metric in spec.own_metrics.items()
        },
        levels,
    )


def visible_columns(spec: Spec) -> list[str]:
    """Return the columns that `rows` has: the inputs without personal ones.

    The watch has no others, and a metric must mean the same there.
    """
    return [c for c in spec.inputs if c not in spec.features.personal]


class _Asked:
    """One metric of the spec, whose function is asked in the process of the user's code."""

    def __init__(
        self,
        context: Context,
        name: str,
        metric: OwnMetric,
    ) -> None:
        spec, settings = context.spec, context.settings
        self._paths = context.paths
        self._path, self._name, self._metric = context.folder / FILE, name, metric
        self._function = metric.function or name
        self._task, self._timeout = spec.task, settings.user_code_timeout_seconds
        self._memory = most_memory(spec.resources, settings.memory)

    def on(
        self, rows: pa.Table, y: Array, classes: list[str] | None, levels: Sequence[float]
    ) -> RowMetric:
        """Return the metric bound to the rows."""
        self._rows, self._y, self._classes, self._levels = rows, y, classes, levels
        values = None
        if self._task == "binary" and self._metric.sees == "labels" and len(y):
            decided = [pa.table({"p": np.full(len(y), c, dtype=np.int64)}) for c in (0, 1)]
            values = self._ask(rows, y, decided)
        return RowMetric(
            name=self._name,
            greater_is_better=self._metric.greater_is_better,
            per_row=self._with_memory() if values is None else by_decision(values),
            positions=np.arange(len(y)),
            total=self._metric.per == "total",
            unit=self._metric.shown_unit,
            by_decision=values,
        )

    def _with_memory(self) -> Any:
        """Return the function of positions, answers and threshold, with a short memory."""
        memory: OrderedDict[str, Array] = OrderedDict()

        def per_row(positions: Array, p: Array, _threshold: float) -> Array:
            key = sha256(positions.tobytes() + np.ascontiguousarray(p).tobytes())
            if key not in memory:
                rows = self._rows.take(pa.array(positions))
                asked = self._ask(rows, self._y[positions], [self._prediction(p)])
                memory[key] = asked[:, 0]
                if len(memory) > _KEPT:
                    memory.popitem(last=False)
            return memory[key]

        return per_row

    def _prediction(self, p: Array) -> pa.Table:
        """Return answers as the function sees them."""
        if self._levels:
            return pa.table({name: p[:, i] for i, name in enumerate(level_names(self._levels))})
        if self._classes is None or not has_named_classes(self._task):
            return pa.table({"p": np.asarray(p, dtype=np.float64)})
        if self._metric.sees == "labels":
            return pa.table({"p": pa.array([self._classes[i] for i in p.argmax(axis=1)])})
        return pa.table({name: p[:, i] for i, name in enumerate(self._classes)})

    def _truth(self, y: Array) -> pa.Table:
        if learns_named_classes(self._task):
            names = self._classes or []
            return pa.table({"y": pa.array([names[i] if i >= 0 else None for i in y], pa.string())})
        kind = np.int64 if self._task == "binary" else np.float64
        return pa.table({"y": np.asarray(y).astype(kind)})

    def _ask(self, rows: pa.Table, y: Array, predictions: list[pa.Table]) -> Array:
        """Return what each row counts, a column for each prediction: (n, m)."""
        tables = {"rows": rows, "truth": self._truth(y)}
        tables |= {f"prediction {i}": table for i, table in enumerate(predictions)}
        try:
            values = user_code.call_metric(
                self._path,
                self._function,
                tables,
                self._timeout,
                memory=self._memory,
                paths=self._paths,
            )
        except PerennialError as error:
            error.at = error.at or ("metrics", self._name)
            raise
        return np.column_stack([c.to_numpy() for c in values.columns])
