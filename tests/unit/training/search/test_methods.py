"""Grid, random, halving and Optuna: what they try, what they record, what they choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.errors import BadData, SpecError
from pipelines.science.metrics import score
from pipelines.training.search import search
from pipelines.training.search.halving import rungs_of
from tests.unit.training.search.worlds import (
    LINEAR,
    C,
    folds,
    ground_of,
    rows,
    searched,
    spec_with,
)


def test_a_grid_is_tried_whole_and_the_best_mean_wins():
    found = searched(f"{LINEAR}, method: grid, search: {{C: [0.0001, 0.01, 1.0]}}")
    assert [trial.params["C"] for trial in found.trials] == [0.0001, 0.01, 1.0]
    best = max(found.trials, key=lambda trial: trial.mean)
    assert found.params["C"] == best.params["C"]
    assert found.score == np.mean(best.scores) == best.mean
    assert found.fold_scores == best.scores
    assert [trial.state for trial in found.trials] == ["complete"] * 3


def test_the_answers_of_the_winner_out_of_fold_are_those_that_were_scored():
    found = searched(f"{LINEAR}, search: {{C: [0.0001, 0.01, 1.0]}}")
    _, y = rows()
    out = found.out_of_fold
    for fold, value in enumerate(found.fold_scores):
        here = out.folds == fold
        assert score("roc_auc", y[out.positions[here]], out.answers[here]) == value


def test_weights_reach_the_fits_and_scores_count_all_rows_alike():
    spec = spec_with(f"{LINEAR}, search: {{C: [0.01, 1.0]}}")
    inputs, y = rows()
    plain = ground_of(spec, inputs, y, folds(len(y)))
    heavy = search(replace(plain, weights=np.where(y == 1, 50.0, 1.0)))
    out = heavy.out_of_fold
    for fold, value in enumerate(heavy.fold_scores):
        here = out.folds == fold
        assert score("roc_auc", y[out.positions[here]], out.answers[here]) == value
    assert out.answers.mean() > search(plain).out_of_fold.answers.mean() + 0.2


def test_random_draws_as_many_as_the_budget_says():
    line = f"{LINEAR}, method: random, budget: {{trials: 4}}, search: {{{C}}}"
    assert len(searched(line).trials) == 4
    assert searched(line).params == searched(line).params


def test_optuna_proposes_the_same_again_and_comes_near_the_best():
    line = f"{LINEAR}, method: optuna, budget: 12, search: {{{C}, fit_intercept: [true, false]}}"
    found, again = searched(line), searched(line)
    assert [t.params for t in found.trials] == [t.params for t in again.trials]
    grid = searched(f"{LINEAR}, search: {{C: [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0]}}")
    assert found.score > grid.score - 0.01


def test_optuna_gives_up_trials_that_fall_behind_and_says_so():
    line = f"{LINEAR}, method: optuna, budget: 20, search: {{{C}}}"
    found = searched(line, number=6)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    assert all(2 <= len(trial.scores) < 6 for trial in pruned)
    assert "folds worse than most" in pruned[0].reason
    assert found.score == max(t.mean for t in found.trials if t.state == "complete")


@pytest.mark.parametrize(
    ("settings", "rows", "rungs"),
    [
        (9, 10_000, [(9, 1 / 9), (3, 1 / 3), (1, 1)]),
        (9, 300, [(9, 1 / 3), (3, 1)]),
        (2, 10_000, [(2, 1)]),
        (9, 50, [(9, 1)]),
    ],
)
def test_halving_starts_on_few_rows_and_ends_on_all(settings, rows, rungs):
    found = rungs_of(settings, rows)
    assert [count for count, _ in found] == [count for count, _ in rungs]
    assert np.allclose([share for _, share in found], [share for _, share in rungs])


def test_halving_chooses_among_those_that_learnt_from_all_rows(monkeypatch):
    monkeypatch.setattr("pipelines.training.search.halving.LEAST_ROWS", 6)
    found = searched(f"{LINEAR}, method: halving, budget: 9, search: {{{C}}}")
    assert [round(t.share, 2) for t in found.trials] == [0.11] * 9 + [0.33] * 3 + [1.0]
    assert found.params["C"] == found.trials[-1].params["C"]


def test_a_setting_that_cannot_be_fitted_fails_alone_and_is_counted(caplog):
    solvers = "{solver: [liblinear, lbfgs], l1_ratio: [1.0]}"
    found = searched(f"{LINEAR}, search: {solvers}")
    states = {trial.params["solver"]: trial.state for trial in found.trials}
    assert states == {"liblinear": "complete", "lbfgs": "failed"}
    assert found.params["solver"] == "liblinear"
    assert "1 of 2 trials failed" in caplog.text


def test_where_every_setting_fails_the_candidate_does():
    with pytest.raises(BadData, match="could not be fitted"):
        searched(f"{LINEAR}, search: {{solver: [lbfgs, newton-cg], l1_ratio: [1.0]}}")


def test_a_value_that_the_library_refuses_is_a_mistake_in_the_spec():
    with pytest.raises(SpecError, match="solver must be one of"):
        searched(f"{LINEAR}, search: {{solver: [lbfgs, best]}}")


def test_time_ends_a_search_and_is_named(caplog):
    slow = "estimator: sklearn.ensemble.RandomForestClassifier, params: {n_estimators: 1}"
    space = "{max_depth: {low: 2, high: 900}}"
    line = f"{slow}, budget: {{trials: 900, minutes: 0.02}}, search: {space}"
    found = searched(line)
    assert found.ended_by == "minutes"
    assert 1 <= len(found.trials) < 900
    assert found.trials[-1].state in {"unfinished", "complete"}
    assert "minutes of the budget ended the search" in caplog.text


def test_time_ends_optuna_too_with_the_best_of_what_was_tried(caplog):
    line = f"{LINEAR}, method: optuna, budget: {{trials: 1000, minutes: 0.02}}, search: {{{C}}}"
    found = searched(line)
    assert found.ended_by == "minutes"
    assert 1 <= len(found.trials) < 1_000
    assert found.score == max(t.mean for t in found.trials if t.state == "complete")
    assert "minutes of the budget ended the search" in caplog.text


def test_a_fit_that_does_not_end_is_cut_off():
    endless = (
        "estimator: sklearn.ensemble.GradientBoostingClassifier, params: {n_estimators: 100000}"
    )
    with pytest.raises(BadData, match=r"no trial was complete within 0\.01 minutes"):
        searched(f"{endless}, budget: {{trials: 1, minutes: 0.01}}")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("method: optuna", "needs a `search`"),
        ("method: grid, search: {C: {low: 1, high: 2}}", "a grid cannot go through"),
        ("method: grid, budget: 3, search: {C: [1, 2, 3, 4]}", "does not fit a budget of 3"),
        ("budget: 0, search: {C: [1, 2]}", "budget"),
        ("budget: {minutes: 0}, search: {C: [1, 2]}", "budget"),
        ("method: best, search: {C: [1, 2]}", "method"),
        ("search: {C: {low: 1, high: 1.5, whole: true}}", "must be whole numbers"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_at_load(line, why):
    with pytest.raises(SpecError, match=why):
        spec_with(f"{LINEAR}, {line}")


def test_a_setting_whose_metric_is_undefined_on_a_fold_is_named_and_cannot_win(caplog):
    """So regular that nobody is called positive, it has no precision."""
    inputs, _ = rows()
    y = (inputs["x0"] > 1).to_numpy().astype(np.int64)
    spec = spec_with(f"{LINEAR}, search: {{C: [0.000001, 1.0]}}", metric="precision")
    found = search(ground_of(spec, inputs, y, folds(len(y))))
    silent, other = found.trials
    assert (silent.state, other.state) == ("failed", "complete")
    assert silent.reason == "precision is not finite in fold 1 of 3"
    assert found.params["C"] == 1.0
    assert "1 of 2 trials failed" in caplog.text


def test_where_the_metric_is_undefined_on_every_fold_the_search_says_so():
    spec = spec_with(f"{LINEAR}, search: {{C: [0.1, 1.0]}}", metric="precision_at_100")
    inputs, y = rows()
    with pytest.raises(BadData, match=r"fold 1 leaves precision_at_100 undefined.*fewer rows"):
        search(ground_of(spec, inputs, y, folds(len(y))))
