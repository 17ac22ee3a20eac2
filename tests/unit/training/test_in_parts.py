"""Candidates that learn from all rows, part by part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipelines.data import labelled_rows
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.in_parts import AllRows, learn_in_parts, why_not_in_parts
from pipelines.training.preparation import prepare
from pipelines.training.storing import dump
from tests.unit.steps.learning import learning, rows, spec_text

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.training.preparation import Prepared

XGB = "estimator: xgboost.XGBClassifier, params: {n_estimators: 20, max_depth: 3}"
BAYES = "estimator: sklearn.naive_bayes.GaussianNB"
SGD = "estimator: sklearn.linear_model.SGDClassifier, params: {loss: log_loss}"
MLP = "estimator: sklearn.neural_network.MLPClassifier, params: {max_iter: 20}"


class Fit:
    """A candidate fitted on a sample of 1,200 of 6,000 rows, and on all at once."""

    def __init__(self, home: Path, line: str, task: str = "binary", most: int = 1_200) -> None:
        text = spec_text(task, candidates=f"  - {{name: tried, {line}}}")
        days = [rows(d, task, count=1_500) for d in range(6)]
        world = learning(home, text, tables=days)
        self.context = world.context
        self.candidate = world.context.spec.candidate("tried")
        whole = labelled_rows.split(world.context, world.built)
        built = world.built.model_copy(update={"most_rows": most})
        split = labelled_rows.split(world.context, built)
        assert split.learnt is not None
        self.whole = prepare(whole.train, whole.holdout, world.context.spec)
        self.drawn = prepare(split.train, whole.holdout, world.context.spec)
        self.everything = AllRows.of(
            split.learnt, built, self.drawn.schema, self.drawn.classes, self.drawn.train
        )

    def fit(self, rows: Prepared) -> Any:
        spec = self.context.spec
        model = estimators.build_pipeline(
            self.candidate, rows.schema, spec.train.seed, self.candidate.params
        )
        log = self.context.log
        return fit_pipeline(model, rows.inputs, rows.y, self.candidate, log, weights=rows.weights)

    def learn(self) -> Any:
        model = self.fit(self.drawn)
        assert learn_in_parts(self.context, self.candidate, model, self.everything)
        return model

    def ask(self, model: Any) -> Any:
        frame = estimators.frame(self.whole.schema, self.whole.holdout)
        return estimators.answers(model, frame, self.context.spec.task, self.whole.classes)

    def right(self, model: Any) -> float:
        answers = self.ask(model)
        best = answers.argmax(axis=1) if answers.ndim > 1 else answers > 0.5
        return float(np.mean(best == self.whole.truth))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_xgboost_with_files_grows_what_it_grows_in_memory(tmp_path, task):
    line = XGB.replace("Classifier", "Regressor") if task == "regression" else XGB
    fit = Fit(tmp_path, f"{line}, encode: ordinal", task)
    sampled, in_parts, at_once = fit.fit(fit.drawn), fit.learn(), fit.fit(fit.whole)
    assert np.abs(fit.ask(in_parts) - fit.ask(at_once)).max() < 1e-5
    assert np.abs(fit.ask(sampled) - fit.ask(at_once)).max() > 0.01


def test_counts_of_parts_are_counts_of_all(tmp_path):
    fit = Fit(tmp_path, BAYES)
    encode = fit.fit(fit.drawn)[:-1]
    whole, in_parts = fit.fit(fit.whole), fit.learn()
    whole.steps[-1][1].fit(encode.transform(fit.whole.inputs), fit.whole.y)
    assert in_parts[-1].class_count_.tolist() == whole[-1].class_count_.tolist()
    assert np.allclose(in_parts[-1].theta_, whole[-1].theta_, atol=1e-5)


@pytest.mark.parametrize(
    "line",
    [
        SGD,
        SGD.replace("}", ", class_weight: balanced}"),
        MLP,
        "estimator: sklearn.linear_model.SGDRegressor",
    ],
)
def test_what_descends_goes_on_over_all_rows_and_is_the_same_again(tmp_path, line):
    task = "regression" if "Regressor" in line else "binary"
    fit = Fit(tmp_path, line, task)
    one, other, sampled = fit.learn(), fit.learn(), fit.fit(fit.drawn)
    assert dump(one) == dump(other) or np.array_equal(fit.ask(one), fit.ask(other))
    assert not np.array_equal(fit.ask(one), fit.ask(sampled))
    if task == "binary":
        assert fit.right(one) > fit.right(sampled) - 0.03
        assert fit.right(one) > 0.7


def test_weights_go_with_their_rows(tmp_path):
    fit = Fit(tmp_path, SGD)
    alike = fit.ask(fit.learn())
    spec = fit.context.spec
    train = spec.train.model_copy(update={"sample_weight": "count"})
    weighted = spec.model_copy(update={"train": train})
    fit.everything = replace(fit.everything, spec=weighted)
    assert not np.array_equal(fit.ask(fit.learn()), alike)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("estimator: sklearn.linear_model.LogisticRegression", "all its rows at once"),
        (f"{SGD}, calibrate: sigmoid", "several fits"),
        (SGD.replace("}", ", early_stopping: true}"), "stops early"),
        (MLP.replace("max_iter: 20", "solver: lbfgs"), "lbfgs"),
        (XGB.replace("max_depth: 3", "tree_method: exact"), "external memory"),
        (f"{BAYES}, steps: [{{step: resample, by: under}}]", "draws its rows"),
    ],
)
def test_what_cannot_learn_in_parts_says_why_and_stays_with_the_sample(tmp_path, line, why):
    fit = Fit(tmp_path, line)
    model = fit.fit(fit.drawn)
    before = fit.ask(model)
    assert why in why_not_in_parts(model, fit.candidate)
    assert not learn_in_parts(fit.context, fit.candidate, model, fit.everything)
    assert np.array_equal(fit.ask(model), before)
