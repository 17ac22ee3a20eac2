"""Which candidate becomes the challenger: cross-validation says so, by the spec's rule."""

from __future__ import annotations

import pytest

from pipelines.errors import RequestError
from pipelines.judging.challenger import choose_challenger
from tests.unit.steps.candidates import TWO
from tests.unit.steps.learning import learning, spec_text


def chosen(world, trained):
    """The candidate that the gate chooses; None where there is none."""
    found, _ = choose_challenger(world.context, trained)
    return found and found.candidate


def test_what_is_within_the_noise_of_the_best_yields_to_the_simpler(tmp_path):
    world = learning(tmp_path, spec_text(candidates=TWO))
    _, linear, bayes = world.train_all()
    noisy = [score + d for score, d in zip(linear.fold_scores, (0.05, -0.03), strict=True)]
    better = bayes.model_copy(update={"fold_scores": noisy, "cv_score": linear.cv_score + 0.01})
    found, words = choose_challenger(world.context, [better, linear])
    assert found.candidate == "linear"
    assert "bayes has the best roc_auc over the folds" in words
    assert "linear lies 0.0100 worse, within one standard error" in words
    assert "2 folds make a crude standard error" in words


def test_results_of_earlier_versions_have_no_folds_and_the_best_is_chosen(tmp_path):
    world = learning(tmp_path, spec_text(candidates=TWO))
    trained = [t.model_copy(update={"fold_scores": []}) for t in world.train_all()]
    better = trained[2].model_copy(update={"cv_score": trained[1].cv_score + 1e-6})
    found, words = choose_challenger(world.context, [*trained[:2], better])
    assert found.candidate == "bayes"
    assert "their noise is not known" in words


def test_the_challenger_is_the_best_of_the_folds_not_of_the_holdout(tmp_path):
    world = learning(tmp_path, spec_text(candidates=TWO))
    dummy, linear, bayes = world.train_all()
    scores = [score + 0.1 for score in linear.fold_scores]
    better = bayes.model_copy(
        update={
            "cv_score": linear.cv_score + 0.1,
            "fold_scores": scores,
            "metrics": {"roc_auc": 0.0},
        }
    )
    assert chosen(world, [dummy, linear, better]) == "bayes"
    lost = linear.model_copy(update={"cv_score": None})
    assert chosen(world, [lost, bayes]) == "bayes"
    assert chosen(world, [dummy.model_copy(update={"cv_score": 1.0}), lost]) is None
    with pytest.raises(RequestError, match="no candidate ghost"):
        choose_challenger(world.context, [linear.model_copy(update={"candidate": "ghost"})])


def test_for_an_error_metric_the_smallest_is_best(tmp_path):
    world = learning(tmp_path, spec_text("regression"))
    (ridge,) = [t for t in world.train_all() if t.candidate == "ridge"]
    worse = ridge.model_copy(update={"cv_score": ridge.cv_score + 1, "run_id": "worse"})
    assert chosen(world, [worse, ridge]) == "ridge"
