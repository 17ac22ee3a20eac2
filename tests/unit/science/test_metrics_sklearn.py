"""Every metric is scikit-learn's to 1e-12 over 200 random tables, with weights and without.

Where scikit-learn has none, it is compared with its definition, written row by row.
"""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
from sklearn import config_context
from sklearn import metrics as theirs

from pipelines.science.formulas.levels import NAMES as OF_LEVELS
from pipelines.science.metrics import score, why_undefined
from pipelines.spec.metrics import FAMILIES, METRICS, find_metric

CASES = 40
"""Tables for each metric; 200 in the long tests."""


def _binary(rng, n):
    y = rng.integers(0, 2, n)
    y[:2] = 0, 1
    p = np.round(np.clip(0.3 * y + rng.uniform(0, 0.7, n), 0, 1), rng.integers(1, 4))
    return y, p


def _many(rng, n):
    k = int(rng.integers(4, 6))
    y = rng.integers(0, k, n)
    y[:k] = np.arange(k)
    p = np.round(rng.dirichlet(np.ones(k), n) + 0.2 * np.eye(k)[y], 2)
    return y, p / p.sum(axis=1, keepdims=True)


def _positive(rng, n):
    return rng.gamma(2, 3, n) + 0.01, rng.gamma(2, 3, n) + 0.01


def _counts(rng, n):
    return rng.poisson(2, n).astype(float), rng.gamma(2, 1, n) + 0.01


def _signed(rng, n):
    y = rng.normal(0, 3, n)
    return np.round(y, 1) + 0.01, np.round(y + rng.normal(0, 1, n), 1)


def _of_label(function, **options):
    def compute(y, p, w):
        return function(y, p.argmax(axis=1) if p.ndim > 1 else p > 0.5, sample_weight=w, **options)

    return compute


def _of_answer(function, **options):
    return lambda y, p, w: function(y, p, sample_weight=w, **options)


def _mean(rows, w):
    return sum(rows) / len(rows) if w is None else sum(rows * w) / sum(w)


def _wape(y, p, w):
    w = np.ones(len(y)) if w is None else w
    return sum(w * abs(y - p)) / sum(w * abs(y))


def _smape(y, p, w):
    rows = [
        0.0 if a == b == 0 else 2 * abs(a - b) / (abs(a) + abs(b))
        for a, b in zip(y, p, strict=True)
    ]
    return _mean(np.array(rows), w)


def _average_precision_macro(y, p, w):
    indicator = np.eye(p.shape[1])[y]
    return theirs.average_precision_score(indicator, p, sample_weight=w)


def _best_ranked(y, p, w, *, rows_of, recall=False):
    """Take rows by score, each score at a time; the last ones in the share that is still free."""
    w = np.ones(len(y)) if w is None else w
    wanted = rows_of(w.sum())
    free, hits = wanted, 0.0
    for level in np.unique(p)[::-1]:
        rows = p == level
        share = min(1.0, free / w[rows].sum())
        hits += share * w[rows & (y == 1)].sum()
        free -= share * w[rows].sum()
    return hits / (w[y == 1].sum() if recall else wanted)


def _calibration_error(y, p, w):
    """Cut rows by rank into ten parts, equal probabilities together, and count each directly."""
    w = np.ones(len(y)) if w is None else w
    hit, sure = (y == 1, p) if p.ndim == 1 else (p.argmax(axis=1) == y, p.max(axis=1))
    parts = {}
    for row in range(len(y)):
        before = w[sure < sure[row]].sum()
        parts.setdefault(int(10 * before / w.sum() + 1e-12), []).append(row)
    away = [
        abs(sum(w[r] * sure[r] for r in rows) - sum(w[r] * hit[r] for r in rows))
        for rows in parts.values()
    ]
    return sum(away) / w.sum()


def _averages(name, function, **options):
    return {
        f"{name}_{average}": (_many, _of_label(function, average=average, **options))
        for average in ("macro", "micro", "weighted")
    }


THEIRS = {
    "roc_auc": (_binary, _of_answer(theirs.roc_auc_score)),
    "roc_auc_ovr": (_many, _of_answer(theirs.roc_auc_score, multi_class="ovr")),
    "roc_auc_ovr_weighted": (
        _many,
        _of_answer(theirs.roc_auc_score, multi_class="ovr", average="weighted"),
    ),
    "average_precision": (_binary, _of_answer(theirs.average_precision_score)),
    "average_precision_macro": (_many, _average_precision_macro),
    "brier": (_binary, _of_answer(theirs.brier_score_loss)),
    "log_loss": (_binary, _of_answer(theirs.log_loss)),
    "calibration_error": (_binary, _calibration_error),
    "accuracy": (_many, _of_label(theirs.accuracy_score)),
    "balanced_accuracy": (_many, _of_label(theirs.balanced_accuracy_score)),
    "matthews": (_many, _of_label(theirs.matthews_corrcoef)),
    "kappa": (_many, _of_label(theirs.cohen_kappa_score)),
    "precision": (_binary, _of_label(theirs.precision_score)),
    "recall": (_binary, _of_label(theirs.recall_score)),
    "f1": (_binary, _of_label(theirs.f1_score)),
    **_averages("precision", theirs.precision_score),
    **_averages("recall", theirs.recall_score),
    **_averages("f1", theirs.f1_score),
    "mae": (_signed, _of_answer(theirs.mean_absolute_error)),
    "mse": (_signed, _of_answer(theirs.mean_squared_error)),
    "rmse": (_signed, _of_answer(theirs.root_mean_squared_error)),
    "r2": (_signed, _of_answer(theirs.r2_score)),
    "wape": (_signed, _wape),
    "median_error": (_signed, _of_answer(theirs.median_absolute_error)),
    "mape": (_signed, _of_answer(theirs.mean_absolute_percentage_error)),
    "smape": (_counts, _smape),
    "rmsle": (_positive, _of_answer(theirs.root_mean_squared_log_error)),
    "poisson_deviance": (_counts, _of_answer(theirs.mean_poisson_deviance)),
    "gamma_deviance": (_positive, _of_answer(theirs.mean_gamma_deviance)),
    "fbeta_0.5": (_binary, _of_label(theirs.fbeta_score, beta=0.5)),
    "fbeta_3": (_binary, _of_label(theirs.fbeta_score, beta=3)),
    **_averages("fbeta_2", theirs.fbeta_score, beta=2),
    "top_1_accuracy": (_many, _of_answer(theirs.top_k_accuracy_score, k=1)),
    "top_3_accuracy": (_many, _of_answer(theirs.top_k_accuracy_score, k=3)),
    "precision_at_7": (_binary, partial(_best_ranked, rows_of=lambda _: 7)),
    "recall_at_7": (_binary, partial(_best_ranked, rows_of=lambda _: 7, recall=True)),
    "precision_at_12.5_percent": (_binary, partial(_best_ranked, rows_of=lambda w: w / 8)),
    "recall_at_12.5_percent": (
        _binary,
        partial(_best_ranked, rows_of=lambda w: w / 8, recall=True),
    ),
    "pinball_0.9": (_signed, _of_answer(theirs.mean_pinball_loss, alpha=0.9)),
    "tweedie_-1": (_positive, _of_answer(theirs.mean_tweedie_deviance, power=-1)),
    "tweedie_0": (_signed, _of_answer(theirs.mean_tweedie_deviance, power=0)),
    "tweedie_1.5": (_counts, _of_answer(theirs.mean_tweedie_deviance, power=1.5)),
    "tweedie_2.5": (_positive, _of_answer(theirs.mean_tweedie_deviance, power=2.5)),
}
ALSO = {
    "brier": (_many, _of_answer(theirs.brier_score_loss)),
    "log_loss": (_many, _of_answer(theirs.log_loss)),
    **{
        name: (_binary, THEIRS[name][1])
        for name in ("accuracy", "balanced_accuracy", "matthews", "kappa", "f1_macro")
    },
}


FLAGS = {"flag_rate_error"}


def test_every_metric_is_compared():
    of_rows = {name for name, metric in METRICS.items() if metric.sees == "rows"}
    # Those are compared in test_cluster_metrics.py: they are bound to rows. Those of levels are in
    # formulas/test_levels.py, and of the flagged share scikit-learn knows nothing.
    assert set(METRICS) - of_rows - OF_LEVELS <= set(THEIRS)
    families = {find_metric(name).family for name in THEIRS} - {""}
    assert families >= {family.metric.family for family in FAMILIES} - OF_LEVELS - FLAGS


EACH = pytest.mark.parametrize(
    ("metric", "case"), [*THEIRS.items(), *ALSO.items()], ids=[*THEIRS, *(f"{a}, 2" for a in ALSO)]
)


@EACH
def test_a_metric_is_scikit_learns_weights_included(metric, case):
    _compare(metric, case, CASES)


@pytest.mark.long
@EACH
def test_a_metric_is_scikit_learns_on_200_tables(metric, case):
    _compare(metric, case, 200)


def _compare(metric, case, tables):
    make, compute = case
    compared = 0
    for seed in range(tables):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(20, 60))
        y, p = make(rng, n)
        w = None if seed % 4 == 0 else rng.uniform(0.1, 5, n)
        value = score(metric, y, p, weights=w)
        if np.isnan(value):
            assert why_undefined(metric, y, p, weights=w)
            continue
        with config_context(skip_parameter_validation=True), warnings.catch_warnings():
            # A class that nobody is called has precision 0 in a mean, and scikit-learn warns.
            warnings.simplefilter("ignore")
            expected = compute(y, p, w)
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-12), seed
        compared += 1
    assert compared >= tables * 0.95
