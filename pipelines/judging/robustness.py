"""The challenger asked again, as it would be served, with one input disturbed at a time."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.bundle.rows import feed_from_table
from pipelines.errors import GiveUp
from pipelines.science.gate.robustness import Loss, RobustnessFacts, disturb
from pipelines.science.metrics import better_by, score
from pipelines.tasks import is_wide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.bundle.rows import Feed
    from pipelines.bundle.schema import Column
    from pipelines.judging.served_model import ServedModel
    from pipelines.spec import Spec
    from pipelines.spec.gate_checks import Disturbance

    Array = np.ndarray[Any, Any]

MOST_ROWS = 2_000
"""Held-out rows that are asked, evenly spread."""
_NUMBERS = frozenset({"number", "integer"})


def measure_robustness(spec: Spec, model: ServedModel, threshold: float) -> RobustnessFacts:
    """Return what each disturbance of each input costs in the metric of the check."""
    rule = spec.gate.robustness
    if rule is None:
        return RobustnessFacts()
    metric = rule.metric or spec.gate.versus_champion.metric
    count = model.rows.num_rows
    rows = np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(np.int64))
    columns = model.predictor.schema.columns
    feed = feed_from_table(columns, model.rows.take(pa.array(rows)))
    measure = model.judged.measures.on(metric, rows)
    truth = model.judged.truth[rows]

    def value_of(asked: Feed) -> float:
        answers = model.predictor.predict_feed(asked)
        own = answers if is_wide(spec.task) else answers[:, 0]
        return score(measure, truth, own, threshold=threshold)

    clean = value_of(feed)
    if not np.isfinite(clean) or clean == 0:
        return RobustnessFacts(error=f"{metric} is {clean:g} as it is, of which there is no share")
    losses = []
    for kind, column, asked in _disturb(spec, list(columns), feed):
        try:
            share = float(better_by(measure, clean, value_of(asked))) / abs(clean)
            why = "" if np.isfinite(share) else "answers what is no number"
        except (GiveUp, ValueError) as error:
            share, why = inf, f"answers no longer ({str(error)[:120]})"
        losses.append(Loss(kind, column, share if np.isfinite(share) else inf, why))
    return RobustnessFacts(metric, len(rows), tuple(losses))


def _disturb(
    spec: Spec, columns: list[Column], feed: Feed
) -> Iterator[tuple[Disturbance, str, Feed]]:
    """Yield each disturbance of each input that it fits, with the feed; the seed fixes all."""
    numbers = [c.name for c in columns if c.kind in _NUMBERS]
    rule = spec.gate.robustness
    for kind in rule.limits if rule else ():
        for place, column in enumerate(columns):
            name, is_number = column.name, column.kind in _NUMBERS
            if (kind == "unseen") != (column.kind == "string") and kind != "missing":
                continue
            if not is_number and kind in {"noise", "scaled", "swapped"}:
                continue
            neighbour = _neighbour(name, numbers) if kind == "swapped" else None
            if kind == "swapped" and neighbour is None:
                continue
            asked = dict(feed)
            for one, other in ((name, neighbour), (neighbour, name)):
                if one is None:
                    continue
                # The same draws for both: a swap hits both in the same rows.
                rng = np.random.default_rng([spec.train.seed, place])
                beside = None if other is None else feed[other][:, 0]
                asked[one] = disturb(kind, feed[one][:, 0], beside, rng).reshape(-1, 1)
            yield kind, name, asked


def _neighbour(name: str, numbers: list[str]) -> str | None:
    """Return the next number among the inputs, the first after the last; None without another."""
    other = numbers[(numbers.index(name) + 1) % len(numbers)]
    return None if other == name else other
