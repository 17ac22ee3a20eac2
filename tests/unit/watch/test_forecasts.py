"""A forecast is watched as a regression; its calendar is not, and its residual is told."""

from dataclasses import replace

import numpy as np

from pipelines.series.columns import MadeColumn, SeriesColumns
from pipelines.spec.drift import Drift
from pipelines.watch.comparison import look
from pipelines.watch.sides import Labelled
from tests.unit.watch.windows import ROWS, champion, table, times, window

SERIES = SeriesColumns(
    step=3600,
    gap=24,
    columns=[
        MadeColumn(name="delay", kind="lag", steps=24),
        MadeColumn(name="weekday", kind="weekday"),
    ],
    naive="delay",
)
RULES = Drift(schedule="monthly")
PREDICTIONS = np.random.default_rng(5).normal(50, 9, ROWS)


def forecaster():
    reference = np.random.default_rng(4).normal(50, 9, 2_000)
    plain = champion(predictions=reference, metric="mae", expected=2.0, task="forecast")
    return replace(plain, schema=plain.schema.model_copy(update={"series": SERIES}))


def seen(truth):
    labels = Labelled(truth, PREDICTIONS, times(ROWS))
    return look(
        RULES, window(table(ROWS, 1), PREDICTIONS), labels, forecaster(), seed=1, with_page=False
    ).facts


def test_the_calendar_is_not_watched_and_a_lag_is():
    assert [c.name for c in seen(PREDICTIONS + 1.0).columns] == [
        "delay", "distance", "night", "carrier",
    ]  # fmt: skip


def test_forecasts_that_lie_below_the_truth_are_told():
    noise = np.random.default_rng(6).normal(0, 1, ROWS)
    [note] = [n for n in seen(PREDICTIONS + 3 + noise).notes if "the truth on the mean" in n]
    assert note.startswith("the forecasts lie 2.99")
    assert "below the truth" in note
    assert note.endswith("more than chance explains")
    [note] = [n for n in seen(PREDICTIONS + noise).notes if "the truth on the mean" in n]
    assert "chance" not in note


def test_a_regression_says_nothing_of_its_residual():
    plain = replace(forecaster(), task="regression")
    labels = Labelled(PREDICTIONS + 3, PREDICTIONS, times(ROWS))
    facts = look(
        RULES, window(predictions=PREDICTIONS), labels, plain, seed=1, with_page=False
    ).facts
    assert not [n for n in facts.notes if "the truth on the mean" in n]
