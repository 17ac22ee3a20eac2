import numpy as np
import pytest

from pipelines.science.bootstrap import compare, spread
from pipelines.science.decision_threshold import MOST, choose_threshold
from pipelines.science.metrics import better_by, score, scores
from pipelines.science.own_metrics import Measures, RowMetric, by_decision

RNG = np.random.default_rng(5)
N = 600
Y = (RNG.random(N) < 0.3).astype(int)
P = np.clip(0.3 * Y + RNG.random(N) * 0.6, 0, 1)
PRICE = RNG.uniform(1, 20, N)
BY_DECISION = np.column_stack([5 * PRICE * Y, PRICE * (1 - Y)])
"""A missed positive costs five times what a false alarm costs."""
TIMES = np.datetime64("2024-01-01", "us") + np.arange(N) * np.timedelta64(2, "h")


def cost(values=BY_DECISION, **kwargs):
    return RowMetric(
        name="cost",
        greater_is_better=False,
        per_row=by_decision(values),
        positions=np.arange(len(values)),
        by_decision=values,
        **kwargs,
    )


@pytest.mark.parametrize("metric", ["accuracy", cost(), cost(total=True)])
def test_the_curve_is_the_metric_at_every_threshold_and_the_best_is_chosen(metric):
    curve = choose_threshold(metric, Y, P)
    assert np.allclose(
        curve.scores, [score(metric, Y, P, threshold=t) for t in curve.thresholds], atol=1e-9
    )
    grid = [score(metric, Y, P, threshold=t) for t in np.linspace(0.001, 0.999, 2_000)]
    best = score(metric, Y, P, threshold=curve.threshold)
    assert (better_by(metric, best, np.array(grid)) >= -1e-9).all()
    assert curve.thresholds[curve.default] == 0.5


def test_no_decision_hangs_on_the_last_digit_of_a_score():
    curve = choose_threshold(cost(), Y, P)
    assert np.abs(P - curve.threshold).min() > 1e-9


def test_of_equal_thresholds_the_one_next_to_a_half_is_chosen():
    y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])
    assert choose_threshold("accuracy", y, p).threshold == 0.5
    low = choose_threshold("accuracy", y, p / 4).threshold
    assert low == pytest.approx(0.125)
    indifferent = cost(np.ones((4, 2)))
    assert choose_threshold(indifferent, y, p).threshold == 0.5


def test_a_million_scores_are_looked_at_in_some_places_only():
    rng = np.random.default_rng(3)
    p = rng.random(200_000)
    y = (rng.random(len(p)) < p).astype(int)
    curve = choose_threshold("accuracy", y, p)
    assert len(curve.thresholds) <= MOST + 1
    assert curve.threshold == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("y", "p"), [([], []), ([0, 1], [np.nan, 0.4])])
def test_without_scores_there_is_no_threshold(y, p):
    assert choose_threshold("accuracy", np.array(y), np.array(p, dtype=float)) is None


def test_an_own_metric_is_a_mean_or_a_total_of_its_rows():
    paid = np.where(P > 0.3, BY_DECISION[:, 1], BY_DECISION[:, 0])
    assert score(cost(), Y, P, threshold=0.3) == pytest.approx(paid.mean())
    assert score(cost(total=True), Y, P, threshold=0.3) == pytest.approx(paid.sum())
    weights = RNG.uniform(0, 2, N)
    assert score(cost(), Y, P, threshold=0.3, weights=weights) == pytest.approx(
        np.average(paid, weights=weights)
    )
    some = np.arange(0, N, 3)
    part = Measures({"cost": cost()}).on("cost", some)
    assert score(part, Y[some], P[some], threshold=0.3) == pytest.approx(paid[some].mean())
    assert np.isnan(score(cost(), Y, np.full(N, np.nan)))
    assert "cost" in scores("binary", Y, P, own=[cost()])


def test_an_own_metric_has_intervals_and_is_compared_at_two_thresholds():
    """As the mean of a column is: exactly what the catalogue's error of a value gives."""
    paid = np.where(P > 0.5, BY_DECISION[:, 1], BY_DECISION[:, 0])
    ours = spread(cost(), Y, P, event_times=TIMES, confidence=0.9, seed=1)
    same = spread("mae", paid, np.zeros(N), event_times=TIMES, confidence=0.9, seed=1)
    assert (ours.value, ours.good_end) == pytest.approx((same.value, same.good_end))
    curve = choose_threshold(cost(), Y, P)
    found = compare(
        cost(),
        Y,
        challenger=P,
        opponent=P,
        event_times=TIMES,
        confidence=0.95,
        seed=1,
        challenger_threshold=curve.threshold,
    )
    assert found.metric == "cost"
    assert found.challenger < found.opponent
    assert found.difference > 0
