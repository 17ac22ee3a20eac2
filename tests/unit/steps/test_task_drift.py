"""Logged traffic of quantiles, anomaly scores and clusters is watched: answers, labels, words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.served import trained
from tests.unit.steps.looks import DAY, champion, early, figures
from tests.worlds import make_world, visits

pytestmark = pytest.mark.slow

ODD = 0.08
PROMISE = "flag_rate_error_at_10_percent"
QUANTILES = {
    "task: binary": "task: quantiles\nquantiles: {levels: [0.1, 0.5, 0.9], conformal: true}",
    "{column: bought,": "{column: minutes,",
    "[pages, minutes, channel, trend], lookback: 1d": "[pages, channel]",
    "metric: roc_auc, seed": "metric: pinball, seed",
    "sklearn.dummy.DummyClassifier": "sklearn.dummy.DummyRegressor",
    "LogisticRegression, search: {C: [0.1, 1.0]}": "Ridge",
    "at_least: {roc_auc: 0.6}": "at_least: {coverage: 0.6}",
    "metric: roc_auc, confidence": "metric: pinball, confidence",
}
ANOMALY = {
    "task: binary": "task: anomaly\nthreshold: {rate: 0.1}",
    "[pages, minutes, channel, trend], lookback: 1d": "[pages, minutes]",
    "metric: roc_auc, seed": "metric: average_precision, seed",
    "  - {name: baseline, estimator: sklearn.dummy.DummyClassifier}\n": "",
    "{name: linear, estimator: sklearn.linear_model.LogisticRegression, search: {C: [0.1, 1.0]}}": (
        "{name: forest, estimator: sklearn.ensemble.IsolationForest, params: {n_estimators: 20}}"
    ),
    "at_least: {roc_auc: 0.6}": "at_least: {average_precision: 0.3}",
    "metric: roc_auc, confidence": "metric: average_precision, confidence",
}
UNLABELLED = {
    "target: {column: bought, known_after: 1h}\n": "",
    "average_precision, seed": f"{PROMISE}, seed",
    "at_least: {average_precision: 0.3}": f"at_most: {{{PROMISE}: 0.1}}",
    "metric: average_precision, confidence": f"metric: {PROMISE}, confidence",
}


def lasting(day):
    """Visits that last the longer the more pages they have, with a noise that grows as well."""
    frame = visits(day)
    noise = np.random.default_rng([3, day]).normal(size=len(frame))
    return frame.assign(minutes=(9 + frame["pages"] + noise * (1 + frame["pages"] / 10)).round(3))


def odd(day, share=ODD):
    """Visits of which a few are far from all others; those are known to be odd."""
    frame = visits(day)
    rng = np.random.default_rng([4, day])
    far = rng.random(len(frame)) < share
    pages = np.round(rng.normal(15, 2, len(frame))).clip(1, 40) + far * 25
    minutes = rng.normal(10, 1, len(frame)) + far * 20
    return frame.assign(pages=pages, minutes=minutes.round(3), bought=far.astype(int))


def world_of(home, changes, raw):
    world = make_world(home)
    for old, new in changes.items():
        world.respec(old, new)
    for day in range(8):
        world.rewrite(day, raw(day))
    return trained(world, DAY)


@pytest.fixture(scope="module")
def of_quantiles(tmp_path_factory):
    return world_of(tmp_path_factory.mktemp("quantiles") / "home", QUANTILES, lasting)


@pytest.fixture(scope="module")
def of_scores(tmp_path_factory):
    return world_of(tmp_path_factory.mktemp("anomaly") / "home", ANOMALY, odd)


@pytest.fixture
def quantiles(of_quantiles, tmp_path):
    return of_quantiles.copied(tmp_path / "home")


@pytest.fixture
def scores(of_scores, tmp_path):
    return of_scores.copied(tmp_path / "home")


def page_of(watched, found):
    page = watched.ports.store.get(found.page).decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).split())


def answers_of(watched, rows):
    from pipelines.bundle.rows import feed_from_table

    bundle = champion(watched)
    return bundle.predictor.predict_feed(feed_from_table(bundle.manifest.inputs.columns, rows))


def test_logged_quantiles_are_scored_at_their_levels_where_labels_came_later(quantiles):
    rows = quantiles.rows(DAY)
    quantiles.serve(rows)
    labels = [float(v) for v in rows["minutes"].to_pylist()]
    quantiles.tell(rows, labels)
    found = quantiles.look(DAY)
    assert (found.source, found.verdict) == ("traffic", "no_drift"), found.reasons
    known = early(rows)
    assert found.labelled == known.num_rows < found.rows
    y, p = np.array(known["minutes"].to_pylist()), answers_of(quantiles, known)
    levels = np.array([0.1, 0.5, 0.9])
    off = y[:, None] - p
    loss = np.maximum(levels * off, (levels - 1) * off).mean()
    assert found.live == pytest.approx(loss)
    facts = figures(quantiles, found)["facts"]
    assert facts["predictions"]["score"] is not None
    assert not facts["predictions"]["drifted"]
    assert f"pinball on {known.num_rows} labelled rows; less is better" in page_of(quantiles, found)


def test_medians_alone_tell_of_drift_where_no_label_came(quantiles):
    quantiles.world.respec("known_after: 1h", "known_after: 2d")
    rows = quantiles.rows(DAY)
    quantiles.serve(rows.take(np.flatnonzero(np.array(rows["pages"].to_pylist()) > 20)[:60]))
    quantiles.world.respec("min_rows: 100", "min_rows: 30")
    found = quantiles.look(DAY)
    assert (found.labelled, found.live) == (0, None)
    assert any(r.startswith("the predictions have") for r in found.reasons)
    assert "with a label 0" in page_of(quantiles, found)


def test_logged_scores_are_flagged_and_judged_by_the_labels_that_came(scores):
    from sklearn.metrics import average_precision_score

    rows = scores.rows(DAY)
    scores.serve(rows)
    told = rows.slice(0, 150)
    scores.tell(told, [float(b) for b in told["bought"].to_pylist()])
    found = scores.look(DAY)
    assert (found.source, found.metric) == ("traffic", "average_precision")
    known, p = early(rows), answers_of(scores, rows)[:, 0]
    assert found.labelled == known.num_rows, "feedback where it came, else the source"
    expected = average_precision_score(known["bought"].to_pylist(), answers_of(scores, known)[:, 0])
    assert found.live == pytest.approx(expected)
    flags = figures(scores, found)["facts"]["flags"]
    at = champion(scores).manifest.threshold_value
    assert (flags["rows"], flags["flagged"]) == (rows.num_rows, int((p > at).sum()))
    said = page_of(scores, found)
    assert f"flagged {flags['flagged']:,} of {rows.num_rows:,} rows" in said
    assert "where 10.00% is promised" in said


def test_scores_without_a_target_are_watched_by_their_flags_and_no_label_is_spoken_of(scores):
    for old, new in UNLABELLED.items():
        scores.world.respec(old, new)
    scores.serve(scores.rows(DAY))
    found = scores.look(DAY)
    assert (found.labelled, found.live) == (None, None)
    assert found.verdict == "no_drift", found.reasons
    assert figures(scores, found)["facts"]["predictions"]["score"] is not None
    assert "label" not in page_of(scores, found).lower()
    assert any("are flagged" in reason for reason in found.reasons)


def test_more_odd_traffic_than_promised_calls_a_person(scores):
    rows = scores.rows(DAY)
    strange = np.flatnonzero(np.array(rows["bought"].to_pylist()))
    usual = np.setdiff1d(np.arange(rows.num_rows), strange)
    usual = usual[:: len(usual) // 40]  # of the whole day: each of its hours has both
    scores.serve(rows.take(np.concatenate([usual, strange])))
    scores.world.respec("min_rows: 100", "min_rows: 40")
    found = scores.look(DAY)
    assert found.verdict == "alarm", found.reasons
    assert "more anomalies than were promised" in found.reasons[0]
