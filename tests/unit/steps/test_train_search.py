"""What `train` keeps of a search: its trials, what it resumes from, and why nothing was tried."""

from __future__ import annotations

import json

import pytest

from pipelines.judging.challenger import choose_challenger
from pipelines.refs import canonical
from pipelines.spec import automl
from pipelines.step_record import XCOM_LIMIT
from pipelines.training.search_state import SEARCHES
from tests.unit.steps.learning import learning, spec_of_candidate, spec_text

SEARCH = "estimator: sklearn.linear_model.LogisticRegression, search: {C: [0.001, 1.0]}"


def test_every_trial_is_in_the_store_and_the_result_stays_small(tmp_path):
    world = learning(tmp_path, spec_of_candidate(SEARCH))
    found = world.train("tried")
    record = json.loads(world.context.ports.store.get(found.trials))
    assert [trial["params"] for trial in record["trials"]] == [{"C": 0.001}, {"C": 1.0}]
    assert record["metric"] == "roc_auc"
    assert len(record["folds"]) == len(record["trials"][0]["scores"]) == 2
    best = max(record["trials"], key=lambda trial: trial["mean"])
    assert best["scores"] == found.fold_scores
    assert len(canonical(found)) < XCOM_LIMIT


def test_what_a_search_is_resumed_from_is_removed_with_its_result(tmp_path, monkeypatch):
    world = learning(tmp_path, spec_of_candidate(SEARCH))
    folder = world.context.settings.state / SEARCHES

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.training.predictions.write", die)
        with pytest.raises(KeyboardInterrupt):
            world.train("tried")
    (left,) = folder.glob("*/trials.jsonl")
    assert len(left.read_text().splitlines()) == 4
    world.train("tried")
    assert not list(folder.iterdir())


def test_a_proposed_candidate_that_declines_says_why_and_is_never_chosen(tmp_path, monkeypatch):
    monkeypatch.setitem(automl.MOST_CELLS, "forest", 100)
    text = spec_text() + "automl: {trials: 4}\n"
    world = learning(tmp_path, text)
    forest = world.train("forest")
    assert forest.cv_score is None
    assert "are too many for it" in forest.skipped
    tags = world.context.ports.registry.runs[forest.run_id].tags
    assert tags["skipped"] == forest.skipped
    assert tags["proposed_because"] == automl.REASONS["forest"]
    found, _ = choose_challenger(world.context, [world.train("linear"), forest])
    assert found.candidate == "linear"
