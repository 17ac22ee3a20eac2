"""Windows and references to look at: seeded, with the inputs of every kind."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.bundle.rows import schema_of
from pipelines.spec.drift import Drift
from pipelines.watch.sides import ChampionReference, Labelled, Rows

RULES = Drift(schedule="monthly")


def table(rows, seed, shift=0.0):
    """A number that shifts, a skewed one, an integer, a boolean and a text."""
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "delay": rng.normal(shift, 1, rows),
            "distance": rng.lognormal(0, 1, rows),
            "weekday": rng.integers(1, 8, rows),
            "night": rng.random(rows) < 0.3,
            "carrier": rng.choice(["AA", "B6", "DL", "UA"], rows),
        }
    )


def wide(rows, seed):
    """15 inputs: ten normal numbers and those of `table`."""
    rng = np.random.default_rng(seed + 500)
    result = table(rows, seed)
    for i in range(10):
        result = result.append_column(f"n{i}", pa.array(rng.normal(size=rows)))
    return result


def answers(rows, seed):
    return np.random.default_rng(seed + 1_000).beta(2, 6, rows)


def times(rows, days=30):
    return np.datetime64("2026-04-01", "us") + (
        np.arange(rows) * (days * 86_400_000_000 // rows)
    ).astype("timedelta64[us]")


def champion(
    inputs=None,
    *,
    predictions=None,
    metric="roc_auc",
    expected=0.7,
    task="binary",
    classes=None,
    held=None,
):
    inputs = table(2_000, 99) if inputs is None else inputs
    predictions = answers(2_000, 99) if predictions is None else predictions
    schema = schema_of(inputs, inputs.column_names, task, classes)
    return ChampionReference(schema, Rows(inputs, predictions), metric, expected, task, held=held)


def outcomes(p, *, skill=1.0, seed=3):
    """Labels that follow probabilities (skill 1) or have nothing to do with them (0)."""
    rng = np.random.default_rng(seed)
    chance = np.clip(skill * (1.6 * p - 0.15) + (1 - skill) * 0.3, 0, 1)
    return (rng.random(len(p)) < chance).astype(int)


HELD = answers(2_000, 99)
CHAMPION = champion(held=Labelled(outcomes(HELD, seed=98), HELD, times(2_000, days=60)))
ROWS = 800


def window(inputs=None, predictions=None):
    inputs = table(ROWS, 1) if inputs is None else inputs
    return Rows(inputs, answers(inputs.num_rows, 1) if predictions is None else predictions)


def replaced(name, values, rows=ROWS):
    """The window with one column's values replaced."""
    result = table(rows, 1)
    return result.set_column(
        result.column_names.index(name),
        name,
        values if isinstance(values, pa.Array) else pa.array(values),
    )


def labelled(rows=ROWS, *, skill=1.0, seed=3):
    """Labels that follow the predictions (skill 1) or have nothing to do with them (0)."""
    p = answers(rows, 1)
    return Labelled(outcomes(p, skill=skill, seed=seed), p, times(rows))
