"""What the challenger costs to serve, and whether it answers golden requests as it should."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import rows_from_table
from pipelines.science.gate.served_check import GoldenAnswer, ServedFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.bundle.predictor import Predictor
    from pipelines.judging.served_model import ServedModel
    from pipelines.spec.gate import Gate
    from pipelines.spec.gate_served import GoldenRow

    Array = np.ndarray[Any, Any]

ROUNDS, CALLS, WARM_UP = 3, 100, 10
"""The middle of 100 calls is taken, and the least of three rounds: a busy machine only adds."""
_WORDS = 200
"""Characters of an error that are kept."""


def measure_cost(model: ServedModel, gate: Gate) -> ServedFacts:
    """Return what the model costs, and how it answers the golden requests of the gate."""
    predictor = model.predictor
    return ServedFacts(
        bundle_bytes=model.bundle_bytes,
        compiled=model.compiled is not None,
        why_native=model.why_native,
        milliseconds=_time_calls(model) if gate.latency else None,
        golden=tuple(
            _ask(predictor, place, row, model.judged.classes)
            for place, row in enumerate(gate.golden)
        ),
    )


def _time_calls(model: ServedModel) -> float:
    """Return the milliseconds of one row, asked alone as most callers ask."""
    some = model.rows.slice(0, CALLS)
    rows = rows_from_table(model.predictor.schema.columns, some)
    for row in rows[:WARM_UP]:
        model.predictor.predict([row])
    rounds = [_time_round(model.predictor, rows) for _ in range(ROUNDS)]
    return 1_000 * min(rounds)


def _time_round(predictor: Predictor, rows: Sequence[Any]) -> float:
    seconds = []
    for row in rows:
        began = time.perf_counter()
        predictor.predict([row])
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def _ask(
    predictor: Predictor, place: int, golden: GoldenRow, classes: list[str] | None
) -> GoldenAnswer:
    """Return what the model answers to a golden request, or why it cannot."""
    try:
        answer = predictor.predict([golden.row])[0]
    except (ValueError, TypeError) as error:
        # Said of this request alone: size and latency are known without it.
        words = " ".join(str(error).split())[:_WORDS]
        return GoldenAnswer(place, golden.answer, None, 0.0, right=False, problem=words)
    if isinstance(golden.answer, str):
        likeliest = (classes or [])[int(np.argmax(answer))]
        return GoldenAnswer(place, golden.answer, likeliest, 0.0, likeliest == golden.answer)
    found = float(answer[0])
    right = bool(abs(found - golden.answer) <= golden.within)
    return GoldenAnswer(place, golden.answer, found, golden.within, right)
