"""What the page of a retraining draws by task: each drawing is there, named and right."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.comparison.cluster_plots import cluster_drawings
from pipelines.comparison.page import _answers, _of_scores
from pipelines.training import plots
from tests.series import hourly, sales_spec

RNG = np.random.default_rng(12)
LEVELS = (0.1, 0.5, 0.9)
TITLES = re.compile(r"<title>([^<]*)</title>")


def titles(svg):
    return TITLES.findall(svg)


def drawings(truth, p, **spec):
    """The drawings of a candidate's answers; the spec needs no more than what a page asks it."""
    given = {"task": "quantiles", "levels": (), "is_snapshot": True, **spec}
    judged = SimpleNamespace(truth=truth, times=None, spec=SimpleNamespace(**given))
    look = SimpleNamespace(answers=p, result=SimpleNamespace(threshold=None))
    return _answers(judged, look)


@pytest.fixture(scope="module")
def quantiles():
    """A hundred outcomes of which 10, 60 and 95 lie at or below the levels."""
    y = np.arange(100.0)
    return y, np.tile([9.0, 59.0, 94.0], (100, 1))


def test_quantiles_show_how_many_outcomes_lie_below_each_level_and_the_rows_outside(quantiles):
    found = drawings(*quantiles, levels=LEVELS)
    assert [d.words.split(" ")[0] for d in found] == ["the", "outcomes", "residuals;"]
    reliability, fan, residuals = found
    assert [t.split(" rows")[0] for t in titles(reliability.svg)] == [
        "0.1: 0.100 of 100", "0.5: 0.600 of 100", "0.9: 0.950 of 100",
    ]  # fmt: skip
    assert 'aria-label="fan"' in fan.svg
    assert fan.svg.count('class="dot"') == 14, "nine below 9 and five above 94"
    assert 'aria-label="residuals against predictions"' in residuals.svg


def test_the_plot_of_quantiles_in_mlflow_has_the_same_shares(quantiles):
    y, p = quantiles
    _, axes = plots.new_figure(2)
    plots._quantiles(axes, y, p, np.arange(100), LEVELS)
    line = axes[0].lines[0]
    assert list(line.get_xdata()) == list(LEVELS)
    assert list(line.get_ydata()) == pytest.approx([0.10, 0.60, 0.95])
    assert [a.get_title() for a in axes] == ["reliability", "the last 100 of 100 rows"]


def test_scores_stand_with_their_threshold_the_share_above_it_and_the_known_anomalies():
    p = np.append(RNG.uniform(0.3, 0.5, 190), RNG.uniform(0.7, 0.9, 10))
    y = np.where(np.arange(200) >= 195, 1.0, -1.0)
    [found] = _of_scores(y, p, 0.6)
    assert "right of the line (0.6) they are flagged, 10 of 200 (5.00%)" in found.words
    assert "the dots are known anomalies" in found.words
    assert sorted(titles(found.svg)) == sorted(f"a known anomaly: {v:.4g}" for v in p[195:])
    assert 'class="guide"' in found.svg
    [silent] = _of_scores(np.full(200, -1.0), p, 0.6)
    assert "known" not in silent.words
    assert titles(silent.svg) == []


def test_the_plot_of_scores_in_mlflow_sets_known_anomalies_apart():
    times = np.arange(50).astype("datetime64[h]")
    p, y = np.linspace(0, 1, 50), np.where(np.arange(50) > 46, 1, 0)
    _, axes = plots.new_figure(2)
    plots._anomaly(axes, y, p, times)
    everyone, known = axes[1].lines
    assert list(everyone.get_ydata()) == list(p)
    assert list(known.get_ydata()) == list(p[47:])
    assert [a.get_title() for a in axes] == ["50 held-out rows", "over time"]


def test_clusters_show_their_sizes_and_silhouettes():
    from pipelines.science.cluster_metrics import Silhouette

    points = np.concatenate([RNG.normal(0, 0.3, (60, 2)), RNG.normal(9, 0.3, (40, 2))])
    p = np.repeat([[1.0, 0.0], [0.0, 1.0]], [60, 40], axis=0)
    metric = Silhouette(
        name="silhouette", greater_is_better=True, per_row=None,
        positions=np.arange(100), space=points,
    )  # fmt: skip
    found = cluster_drawings(SimpleNamespace(find=lambda _: metric), p)
    (silhouettes, words), (sizes, _), (places, share) = found
    assert titles(sizes) == ["cluster 0: 60 rows, 60.0%", "cluster 1: 40 rows, 40.0%"]
    assert "below 0 another one is nearer" in words
    assert 'aria-label="silhouettes of the rows by cluster"' in silhouettes
    assert titles(places).count("cluster 1") == 40
    assert "hold 100% of their variance" in share


def test_a_forecast_shows_its_residuals_against_the_forecast_and_over_time():
    table = hourly(24 * 12)
    y = table["sold"].to_numpy()
    times = table["at"].to_numpy().astype("datetime64[us]")
    late = np.arange(len(y)) >= len(y) // 2
    p = y - np.where(late, 3.0, 0.0)
    spec = sales_spec()
    judged = SimpleNamespace(truth=y, times=times, spec=spec, naive=None)
    against, over = _answers(judged, SimpleNamespace(answers=p))
    assert 'aria-label="residuals against predictions"' in against.svg
    assert 'aria-label="residuals over time"' in over.svg
    assert over.words == "residuals over time: median and middle half of 20 spans"
    assert "2024-01-01 to 2024-01-12" in over.svg
    _, axes = plots.new_figure(2)
    draw, panels = plots._PANELS["forecast"]
    draw(axes, y, p, times)
    assert panels == 2
    drawn = axes[1].lines[0].get_ydata()
    assert drawn[:10] == pytest.approx(0)
    assert drawn[-10:] == pytest.approx(3)
    assert axes[1].get_ylabel() == "actual - predicted"
