"""How far what is served lies from what was fitted, on rows that no proof has asked.

`python -m benchmarks.parity` from the checkout.

Each pipeline is fitted, stored and compiled as `package` does it; each worked example under
`examples/` goes through its whole loop, and the bundle that comes of it is asked (PERENNIAL_DATA
names the folder of the data sets; what is not there is downloaded). Asked are 5,000 new rows: drawn
anew with nulls and unseen texts, extremes, the neighbours of its trees' thresholds with other
values beside them than the proof's, and the neighbours of the threshold at which it decides.
Probabilities are compared absolutely, values relatively (see
`training.onnx.answers.difference`).
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.parity_pipelines import UNSEEN, draw, pipelines, targets
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.bundle.predictor import NativePredictor, OnnxPredictor
from pipelines.bundle.rows import feed_from_table, frame_from_feed, rows_from_table, schema_of
from pipelines.data import labelled_rows
from pipelines.messages import PackageRequest
from pipelines.steps import package
from pipelines.tasks import answers_probabilities
from pipelines.training.estimators import give_types
from pipelines.training.onnx.answers import (
    decide_apart,
    difference,
    excuse_borders,
    native_answers,
)
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.onnx.export import compile_pipeline
from pipelines.training.onnx.questions import HELD_OUT, ask
from pipelines.training.own.process import own_code_of
from pipelines.training.threads import limit_threads
from tests.examples.loop import copy, live

if TYPE_CHECKING:
    from pipelines.bundle.predictor import Predictor
    from pipelines.bundle.rows import Feed, Row
    from pipelines.bundle.schema import InputSchema

    Array = np.ndarray[Any, Any]

ROOT = Path(__file__).resolve().parents[1]
ROWS, ASKED = 4_000, 5_000
COMPILED, NATIVE = 1e-5, 0.0
COPIES = {
    "BIKE_SHARING": "bike_sharing/hour.csv",
    "HOTEL_BOOKINGS": "hotel_bookings/hotel_bookings.csv.zip",
    "METRO_TRAFFIC": "metro_traffic/Metro_Interstate_Traffic_Volume.csv",
}
"""Which variables name an own copy of an example's data, and where in the folder of data it is."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    rows, asked = (300, 200) if tiny else (ROWS, ASKED)
    measures: list[Measure] = []
    with limit_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (task, make) in pipelines(trees=5 if tiny else 60).items():
            measures += measure(name, task, make(), rows, asked)
        _find_copies()
        for name in ["iris"] if tiny else examples():
            try:
                measures += measure_example(name, asked)
            except AssertionError as refusal:  # the loop asks that its challenger is promoted
                print(f"{name}: {refusal}", file=sys.stderr)
                words = f"example {name}: refused by its gate, so that nothing is served"
                measures.append(
                    {"measure": words, "value": 1.0, "unit": "refusals", "asked": "<= 0"}
                )
    show("Parity", measures)
    if tiny:
        return 0
    write("parity", measures)
    failed = [m for m in measures if m["asked"] and m["value"] > float(m["asked"].split()[1])]
    return int(bool(failed))


def measure(name: str, task: str, pipeline: Any, rows: int, asked: int) -> list[Measure]:
    """Fit, package and ask one pipeline; return the greatest difference, and of how many rows."""
    from skops import io

    table = draw(rows, 0)
    schema = schema_of(
        table, table.column_names, task, ["0", "1", "2"] if task == "multiclass" else None
    )  # type: ignore[arg-type]
    feed = feed_from_table(schema.columns, table)
    pipeline.fit(frame_from_feed(feed), targets(table, task))
    whole, single = edge_rows(schema, rows_from_table(schema.columns, table))
    held_out = feed_from_table(schema.columns, draw(rows // 4, 1))
    found = compile_pipeline(pipeline, schema, held_out, [*whole, *single])
    served: Predictor = (
        OnnxPredictor(schema, found.model)
        if found.model
        else NativePredictor(schema, io.dumps(pipeline))
    )
    new = draw(asked, 2, unseen=True)
    base = feed_from_table(schema.columns, new)
    whole, single = edge_rows(schema, rows_from_table(schema.columns, new))
    questions = _questions(pipeline, schema, base, [*whole, *single], asked)
    how = COMPILED if found.model else NATIVE
    return _compare(name, pipeline, served, questions, how)


def examples() -> list[str]:
    """Return the names of the worked examples."""
    return sorted(path.parent.name for path in (ROOT / "examples").glob("*/model.yaml"))


def measure_example(name: str, asked: int) -> list[Measure]:
    """Bring an example to life, up to its bundle, and ask that what is asked of its pipeline.

    The pipeline is fitted once more from its parameters and seed: so what was stored is compared
    with what never was.
    """
    with tempfile.TemporaryDirectory() as home:
        run = live(copy(name, Path(home) / "home"))
        context, bundle = run.context, run.bundle
        best = next(t for t in run.trained if t.candidate == run.judged.candidate)
        request = PackageRequest(
            run="parity", features=run.built, train=run.trained, gate=run.judged
        )
        with own_code_of(context) as own:
            fit = package._fit(context, request, best, own)  # noqa: SLF001 -- as it was packaged
            held = labelled_rows.holdout(context, run.built)[0]
            held = give_types(held, context.spec.features.inputs, like=fit.rows)
            base = _draw_from(feed_from_table(fit.schema.columns, held), fit.schema, asked)
            whole, single = edge_rows(fit.schema, rows_from_table(fit.schema.columns, held))
            threshold = bundle.manifest.threshold and bundle.manifest.threshold.value
            questions = _questions(fit.model, fit.schema, base, [*whole, *single], asked, threshold)
            how = COMPILED if bundle.manifest.compiled else NATIVE
            name = f"example {name}, {best.candidate}"
            return _compare(name, fit.model, bundle.predictor, questions, how, threshold)


def _find_copies() -> None:
    """Let the examples find the copies of their data that are on this machine."""
    data = Path(os.environ.get("PERENNIAL_DATA") or ROOT.parent / "shared" / "data")
    for name, file in COPIES.items():
        if (data / file).is_file():
            os.environ.setdefault(name, str(data / file))


def _draw_from(held: Feed, schema: InputSchema, asked: int) -> Feed:
    """Return new rows of held-out values: half of them mixed column by column, with more nulls
    where there are any, and unseen texts.
    """
    rng = np.random.default_rng(5)
    count = len(held[schema.columns[0].name])
    rows = rng.integers(0, count, asked)
    drawn: Feed = {}
    for column in schema.columns:
        mixed = np.where(rng.random(asked) < 0.5, rows, rng.integers(0, count, asked))
        values = held[column.name][mixed].copy()
        if column.kind == "string":
            odd, more = rng.random(asked) < 0.05, rng.random(asked) < 0.1
            unseen = rng.choice(np.array(UNSEEN, dtype=object), asked)
            values[more, 0] = values[more, 0] + " " + unseen[more]
            values[odd, 0] = unseen[odd]
        if column.nullable:
            values[rng.random(asked) < 0.05] = "" if column.kind == "string" else np.nan
        drawn[column.name] = values
    return drawn


def _compare(
    name: str,
    pipeline: Any,
    served: Predictor,
    questions: Feed,
    limit: float,
    threshold: float | None = None,
) -> list[Measure]:
    """Return the greatest difference, and how near to the threshold decisions differ."""
    schema, answers = served.schema, served.predict_feed(questions)
    task, fitted = schema.task, native_answers(pipeline, schema, questions)
    # Between two clusters a row belongs to either: the proof says so, too.
    fitted = excuse_borders(pipeline, questions, fitted, answers)
    worst = difference(fitted, answers, task)
    apart, gap = decide_apart(fitted, answers, task, threshold)
    how = "compiled" if limit else "native"
    title = f"{name} ({task}), {how}, {len(fitted):,} rows"
    rows: list[Measure] = [
        {
            "measure": f"{title}: greatest difference",
            "value": float(f"{worst:.3g}"),
            "unit": "probability" if answers_probabilities(task) else "relative",
            "asked": f"<= {limit:g}",
        }
    ]
    if apart or threshold is not None:
        rows.append(
            {
                "measure": f"{title}: {apart} decided otherwise, from the threshold or a tie",
                "value": float(f"{gap:.3g}"),
                "unit": "probability",
                "asked": f"<= {limit:g}",
            }
        )
    return rows


def _questions(
    pipeline: Any,
    schema: InputSchema,
    base: Feed,
    edges: list[Row],
    asked: int,
    threshold: float | None = None,
) -> Feed:
    """Return as many rows as are asked: a third of them extremes and neighbours of thresholds, as
    many of each kind as there are, the others of `base`.
    """
    rng = np.random.default_rng(3)
    kinds: dict[str, list[Feed]] = {}
    for kind, feed in ask(pipeline, schema, base, edges, threshold):
        if kind != HELD_OUT and len(feed[schema.columns[0].name]):
            kinds.setdefault(kind, []).append(feed)
    parts = []
    for feeds in kinds.values():
        feed = {c.name: np.concatenate([f[c.name] for f in feeds]) for c in schema.columns}
        count = len(feed[schema.columns[0].name])
        picks = rng.permutation(count)[: max(asked // 3 // len(kinds), 1)]
        parts.append({name: values[picks] for name, values in feed.items()})
    special = sum(len(part[schema.columns[0].name]) for part in parts)
    parts.append({name: values[: asked - special] for name, values in base.items()})
    return {c.name: np.concatenate([part[c.name] for part in parts]) for c in schema.columns}


if __name__ == "__main__":
    sys.exit(main())
