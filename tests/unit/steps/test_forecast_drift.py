"""Logged forecasts are watched: their residual where sales came later, and what they say alone."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from pipelines.bundle.rows import feed_from_table
from tests.served import trained
from tests.unit.steps.looks import DAY, champion, figures
from tests.worlds import FIRST, make_world

pytestmark = pytest.mark.slow

SHOPS = 6
CHANGES = {
    "task: binary": "task: forecast\nforecast: {series: [shop], step: 1h, horizon: 5h,"
    " season: 24h, lags: [6h], means: [24h], calendar: [hour]}",
    "key: [visit]": "key: [shop, at]",
    "{column: bought,": "{column: sold,",
    "[pages, minutes, channel, trend], lookback: 1d": "[open]",
    "metric: roc_auc, seed": "metric: mae, seed",
    "sklearn.dummy.DummyClassifier": "sklearn.dummy.DummyRegressor",
    "LogisticRegression, search: {C: [0.1, 1.0]}": "Ridge",
    "at_least: {roc_auc: 0.6}": "at_most: {mae: 5}",
    "metric: roc_auc, confidence": "metric: mae, confidence",
    "min_rows: 50": "min_rows: 20",
    "min_rows: 100": "min_rows: 20",
}


def hours(day):
    """Six shops, each with its own level, that sell more while they are open; an hour a row."""
    rng = np.random.default_rng([6, day])
    at = np.repeat(pd.date_range(FIRST + pd.Timedelta(days=day), periods=24, freq="h"), SHOPS)
    hour, shop = np.repeat(np.arange(24), SHOPS), np.tile(np.arange(SHOPS), 24)
    is_open = (hour >= 8) & (hour < 20)
    sold = 20 + 4 * shop + 6 * is_open + rng.normal(0, 3, len(at))
    return pd.DataFrame(
        {
            "shop": [f"s{n}" for n in shop],
            "at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "open": is_open.astype(int),
            "sold": sold.round(3),
        }
    )


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    world = make_world(tmp_path_factory.mktemp("forecast") / "home")
    for old, new in CHANGES.items():
        world.respec(old, new)
    folder = world.home / "models" / "sales"
    (folder / "features.py").write_text("def build(tables):\n    return tables['events']\n")
    suite = {"name": "sales", "expectations": []}
    (world.home / "expectations" / "sales.json").write_text(json.dumps(suite))
    for day in range(8):
        world.rewrite(day, hours(day))
    return trained(world, DAY)


@pytest.fixture
def watched(trained_once, tmp_path):
    return trained_once.copied(tmp_path / "home")


def page_of(watched, found):
    page = watched.ports.store.get(found.page).decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).split())


def test_sales_that_came_later_judge_the_logged_forecasts_and_their_residual_is_told(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    watched.tell(rows, [float(v) + 8.0 for v in rows["sold"].to_pylist()])
    found = watched.look(DAY)
    assert (found.source, found.metric) == ("traffic", "mae")
    assert found.labelled == found.rows == rows.num_rows, "the last hour is known at its end"
    bundle = champion(watched)
    p = bundle.predictor.predict_feed(feed_from_table(bundle.manifest.inputs.columns, rows))[:, 0]
    off = np.array(rows["sold"].to_pylist()) + 8.0 - p
    assert found.live == pytest.approx(np.abs(off).mean())
    assert found.verdict == "drift"
    assert any("more wrong than on its holdout" in r and "mae is" in r for r in found.reasons)
    said = page_of(watched, found)
    assert f"the forecasts lie {off.mean():.4g}" in said
    assert f"below the truth on the mean of {rows.num_rows} labelled rows" in said
    inputs = [c["name"] for c in figures(watched, found)["facts"]["columns"]]
    assert "sold_lag_6h" in inputs
    assert "at_hour" not in inputs


def test_forecasts_that_nobody_can_judge_are_watched_by_themselves(watched):
    rows = watched.rows(DAY)
    watched.serve(rows, keys=False)
    found = watched.look(DAY)
    assert (found.labelled, found.live, found.rows) == (0, None, 24 * SHOPS)
    assert found.verdict == "not_enough_data", "one day against six, and hours are alike"
    facts = figures(watched, found)["facts"]
    assert facts["performance"] is None
    assert facts["predictions"]["score"] is not None
    assert not facts["predictions"]["drifted"]
    said = page_of(watched, found)
    assert "no verdict on performance: 0 rows have labels, 20 are needed" in said
    assert "on the mean of" not in said
