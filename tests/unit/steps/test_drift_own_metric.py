"""A watched model whose metric is its own: metrics.py judges a window as it judged the holdout."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.bundle.load import write_bundle
from pipelines.bundle.rows import feed_from_table
from tests.decisions import crown
from tests.unit.steps.looks import DAY, champion, early, figures

COST = """
import numpy as np


def cost(y, prediction, rows):
    \"\"\"EUR: a missed purchase costs its minutes, a false hope one.\"\"\"
    missed, hoped = (y == 1) & (prediction == 0), (y == 0) & (prediction == 1)
    return np.where(missed, np.nan_to_num(rows["minutes"].to_numpy()), 0.0) + 1.0 * hoped
"""


@pytest.fixture
def costly(watched):
    """A look at a world whose champion was promised so much per row."""
    watched.world.respec("metric: roc_auc, seed", "metric: cost, seed")
    watched.world.respec(
        "candidates:", "metrics: {cost: {better: smaller, unit: EUR}}\ncandidates:"
    )
    watched.world.respec("  cooldown: 1d\n", "  cooldown: 1d\n  performance: {tolerance: 0.1}\n")
    (watched.world.home / "models" / "sales" / "metrics.py").write_text(COST)

    def look(promised):
        was, store = champion(watched).manifest, watched.ports.store
        metrics = {**was.metrics, "cost": promised}
        bundle = write_bundle(store, was.model_copy(update={"version": "2", "metrics": metrics}))
        watched.ports.ledger.crown(
            "sales", expected="1", champion=crown("2", bundle, 2), key="promised"
        )
        watched.serve(watched.rows(DAY))
        return watched.look(DAY)

    return look


def cost_of(watched, rows):
    bundle = champion(watched)
    p = bundle.predictor.predict_feed(feed_from_table(bundle.manifest.inputs.columns, rows))[:, 0]
    y = np.array(rows["bought"].to_pylist()).astype(int)
    minutes = np.nan_to_num(rows["minutes"].to_numpy(zero_copy_only=False).astype(float))
    return float(np.where((y == 1) & (p <= 0.5), minutes, 1.0 * ((y == 0) & (p > 0.5))).mean())


def test_a_window_costs_what_metrics_py_says_with_an_interval_and_its_unit(watched, costly):
    found = costly(promised=1_000.0)
    fact = figures(watched, found)["facts"]["performance"]
    assert found.live == pytest.approx(cost_of(watched, early(watched.rows(DAY))), rel=1e-6)
    assert fact["good_end"] < found.live < fact["bad_end"]
    assert fact["unit"].startswith("EUR")
    assert found.verdict == "no_drift"


def test_a_window_that_costs_more_than_was_promised_is_drift(costly):
    found = costly(promised=0.0)
    assert found.verdict == "drift"
    assert any("cost" in reason for reason in found.reasons)


def test_without_a_tolerance_of_its_owner_an_own_metric_is_shown_and_decides_nothing(
    watched, costly
):
    watched.world.respec("  performance: {tolerance: 0.1}\n", "")
    found = costly(promised=0.0)
    fact = figures(watched, found)["facts"]["performance"]
    assert (fact["expected"], fact["worse"]) == (0.0, False)
    assert fact["good_end"] > 0
    assert found.verdict == "no_drift", found.reasons
    assert not any("is tolerated" in reason for reason in found.reasons)
