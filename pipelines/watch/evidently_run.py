"""Evidently on two samples, for its page.

A score and a flag for every column that is asked for, and its HTML page.

The scores are Evidently's own, with the methods of the spec, never its defaults, which depend on
the number of rows. Its thresholds are those at which the test would have said "changed", so that
the page says of each column what the verdict says. Checked against 0.7.23: it drops null, NaN and
infinity by itself, answers 1e300 and a missing column with "no drift", and raises for a column
without values; so it is asked only for what `preconditions` let through. Where it raises all the
same, each column is asked by itself, and one that it cannot compare is named without the others.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.collector import paused_collection
from pipelines.settings import quiet
from pipelines.watch.evidently_page import number_names
from pipelines.watch.evidently_samples import (
    Compare,
    break_ties,
    data_sets,
    grouped,
    move_to_zero,
    sampled,
    spread_out,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

log = logging.getLogger("perennial")


UNDEFINED_ON_A_CONSTANT = frozenset({"anderson", "cramer_von_mises", "t_test", "chisquare"})
"""Methods that raise, or give no score or a wrong one, where both sides hold one value only, and
the same."""
LEAST = {"anderson": 2, "cramer_von_mises": 2, "t_test": 2}
"""Values that a method needs on either side; the others need one."""


@dataclass(frozen=True)
class Score:
    """Evidently's score (it may be NaN), and whether Evidently says that it has passed the
    threshold.

    `problem` says in words why there is none; "" where Evidently gave one.
    """

    value: float
    drifted: bool
    problem: str = ""


def run(
    inputs: Sequence[Compare], predictions: Compare | None, *, share: float, seed: int
) -> tuple[dict[str, Score], bytes]:
    """Return a score by name, and the page (empty where nothing could be compared).

    Names must differ.

    Evidently fails as a whole where it fails on one column; then each is asked by itself, and the
    page shows the rest.
    """
    quiet()
    inputs = [sampled(c, seed) for c in inputs]
    predictions = sampled(predictions, seed) if predictions else None
    with warnings.catch_warnings():
        # Evidently's own: Litestar's deprecations on import, scipy's at the end of a table of
        # p-values, a share divided by zero.

        warnings.simplefilter("ignore")
        try:
            return _run(inputs, predictions, share=share, seed=seed)
        except MemoryError:
            raise
        except Exception:
            log.warning("Evidently failed; each column is asked by itself", exc_info=True)
            return _one_by_one(inputs, predictions, share=share, seed=seed)


def _one_by_one(
    inputs: Sequence[Compare], predictions: Compare | None, *, share: float, seed: int
) -> tuple[dict[str, Score], bytes]:
    """Return what `run` returns, of those columns that can be compared, and for each other one a
    score with a problem.
    """
    if predictions is not None:
        predictions = spread_out(predictions, seed)
    sound: list[Compare] = []
    failures: dict[str, Score] = {}
    for column in [*inputs, *([predictions] if predictions else [])]:
        ready, problem = _comparable(column, seed)
        if problem:
            failures[column.name] = Score(np.nan, drifted=False, problem=problem)
        else:
            sound.append(ready)
    if not sound:
        return failures, b""
    answers = next((c for c in sound if predictions and c.name == predictions.name), None)
    scores, page = _run([c for c in sound if c is not answers], answers, share=share, seed=seed)
    return failures | scores, page


def _comparable(column: Compare, seed: int) -> tuple[Compare, str]:
    """Return the column as Evidently can compare it, or why it cannot."""
    words = ""
    for ready in [column] if column.text else [column, move_to_zero(column)]:
        try:
            _run([ready], None, share=1.0, seed=seed)
        except MemoryError:
            raise
        # Whatever it raises is said of this column alone.
        except Exception as error:  # noqa: BLE001
            words = words or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        else:
            return ready, ""
    return column, words


def _run(
    inputs: Sequence[Compare], predictions: Compare | None, *, share: float, seed: int
) -> tuple[dict[str, Score], bytes]:
    with paused_collection():
        from evidently import Report
        from evidently.metrics import ValueDrift
        from evidently.presets import DataDriftPreset

    metrics: list[Any] = []
    inputs = [grouped(c) if c.text else break_ties(c, seed) for c in inputs]
    if inputs:
        methods, thresholds = (
            {c.name: c.rule.method for c in inputs},
            {c.name: c.threshold for c in inputs},
        )
        names = [c.name for c in inputs]
        metrics.append(
            DataDriftPreset(
                columns=names,
                drift_share=share,
                per_column_method=methods,
                per_column_threshold=thresholds,
            )
        )
    if predictions is not None:
        predictions = spread_out(predictions, seed)
        predictions = grouped(predictions) if predictions.text else predictions
        metrics.append(
            ValueDrift(
                column=predictions.name,
                method=predictions.rule.method,
                threshold=predictions.threshold,
            )
        )
    window, reference = data_sets([*inputs, *([predictions] if predictions else [])])
    snapshot = Report(metrics, include_tests=True).run(
        window, reference, timestamp=datetime(1970, 1, 1, tzinfo=UTC)
    )
    return _scores(snapshot.dict()), number_names(snapshot.get_html_str(as_iframe=False).encode())


def _scores(snapshot: Mapping[str, Any]) -> dict[str, Score]:
    """Return what a snapshot says of each column."""
    flags = {
        t["metric_config"]["metric_id"]: str(t["status"].value) == "FAIL"
        for t in snapshot["tests"]
        if t["id"] == "drift"
    }
    drifts = (m for m in snapshot["metrics"] if m["config"]["type"].endswith(":ValueDrift"))
    # Rounded, because a sum over a set of texts differs in its last digits from process to process.
    return {
        m["config"]["column"]: Score(float(f"{float(m['value']):.9g}"), flags[m["id"]])
        for m in drifts
    }
