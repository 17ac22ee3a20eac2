"""The back-test of a forecast by rolling origin: each fold's error beside the seasonal naive's."""

from __future__ import annotations

import csv
import json
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.data import labelled_rows
from pipelines.science.metrics import score
from pipelines.training.naive import mean_scaled_error, seasonal_naive, stand_in
from pipelines.training.plots import new_figure, save_figure

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.refs import Ref
    from pipelines.spec import Spec
    from pipelines.store.port import Store
    from pipelines.training.preparation import Prepared
    from pipelines.training.search.result import OutOfFold

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Origin:
    """One origin: when the forecasts begin, on what they stand, and how far off they are.

    `mae` and `naive_mae` are mean errors in the target's unit, on the same rows; `naive_unknown`
    counts rows without a value one season ago, for which the best constant stood.
    """

    origin: str
    first: str
    last: str
    rows_learnt: int
    rows_judged: int
    mae: float
    naive_mae: float
    mase: float | None
    naive_unknown: int


def back_test(spec: Spec, rows: pa.Table, y: Array, out_of_fold: OutOfFold) -> list[Origin]:
    """Return one line by fold, in the order of time.

    `rows` and `y` (n,) are those to learn from; an origin lies a horizon before the first row that
    it is judged on, and its fit has seen no label that was not known by then.
    """
    times, wait = labelled_rows.times(rows, spec), np.timedelta64(spec.target.known_after)
    naive = seasonal_naive(rows, spec)
    if naive is None:
        return []
    origins = []
    for number in np.unique(out_of_fold.folds):
        mine = out_of_fold.folds == number
        test, answers = out_of_fold.positions[mine], out_of_fold.answers[mine]
        first, last = times[test].min(), times[test].max()
        origin = first - np.timedelta64(spec.horizon)
        train = np.flatnonzero(times + wait <= origin)  # as `search_folds` cuts them
        against = stand_in(rows.take(test), spec, y[train], None)
        origins.append(
            Origin(
                origin=_iso(origin),
                first=_iso(first),
                last=_iso(last),
                rows_learnt=len(train),
                rows_judged=len(test),
                mae=score("mae", y[test], answers),
                naive_mae=score("mae", y[test], against),
                mase=mean_scaled_error(y[test], answers, y[train], naive[train]),
                naive_unknown=int(np.isnan(naive[test]).sum()),
            )
        )
    return origins


def publish(
    context: Context,
    run_id: str,
    rows: Prepared,
    out_of_fold: OutOfFold | None,
    answers: Array,
) -> Ref | None:
    """Put the back-test of a candidate to its run, with its holdout's `answers` (n,) beside the
    seasonal naive forecast's, and return where its origins are kept; nothing for other tasks.
    """
    spec, registry = context.spec, context.ports.registry
    naive, held = seasonal_naive(rows.train, spec), seasonal_naive(rows.holdout, spec)
    if naive is None or held is None:
        return None
    against = stand_in(rows.holdout, spec, rows.y, None)
    figures = {
        "holdout_mase": mean_scaled_error(rows.truth, answers, rows.y, naive),
        "holdout_seasonal_naive_mae": score("mae", rows.truth, against),
        "holdout_seasonal_naive_unknown": float(np.isnan(held).sum()),
    }
    numbers = {n: v for n, v in figures.items() if v is not None and np.isfinite(v)}
    registry.log(run_id, params={}, metrics=numbers, tags={})
    unknown = int(np.isnan(held).sum())
    if unknown:
        context.log.warning(
            "the seasonal naive forecast is not known for %d of %d held-out rows: the best constant"
            " stands for it there",
            unknown,
            len(held),
        )
    origins = back_test(spec, rows.train, rows.y, out_of_fold) if out_of_fold else []
    if not origins:
        return None
    context.log.info("%s", in_words(origins))
    with tempfile.TemporaryDirectory(prefix="perennial-backtest-") as folder:
        for file in write(Path(folder), origins):
            registry.attach(run_id, file, "backtest")
    return context.ports.store.put(json.dumps([asdict(o) for o in origins]).encode(), ".json")


def read_origins(store: Store, kept: Ref | None) -> list[Origin]:
    """Return the origins that `publish` has kept; none where there was no back-test."""
    return [] if kept is None else [Origin(**each) for each in json.loads(store.get(kept))]


def in_words(origins: list[Origin]) -> str:
    """Return the back-test in a line."""
    better = sum(o.mae < o.naive_mae for o in origins)
    each = ", ".join(f"{o.origin} {o.mae:.4g} against {o.naive_mae:.4g}" for o in origins)
    return (
        f"back-test: better than the seasonal naive forecast from {better} of {len(origins)}"
        f" origins (mae: {each})"
    )


def write(folder: Path, origins: list[Origin]) -> list[Path]:
    """Write the back-test as CSV, and draw it."""
    table = folder / "backtest.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=[f.name for f in fields(Origin)])
        writer.writeheader()
        writer.writerows(asdict(origin) for origin in origins)
    figure, (axis,) = new_figure(1)
    places = np.arange(len(origins))
    axis.bar(places - 0.2, [o.mae for o in origins], 0.4, label="this model")
    axis.bar(places + 0.2, [o.naive_mae for o in origins], 0.4, label="seasonal naive")
    axis.set_xticks(places, [o.origin[:10] for o in origins])
    axis.set(title="error by origin", ylabel="mae")
    axis.legend(loc="upper right")
    return [table, save_figure(figure, folder / "backtest.png")]


def _iso(moment: Any) -> str:
    return f"{np.datetime64(moment, 's')}Z"
