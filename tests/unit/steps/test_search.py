"""`search`: a helper of a candidate's training, and what the training makes of its help."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipelines.errors import BadData, RequestError
from pipelines.messages import SearchRequest
from pipelines.settings import Settings
from pipelines.spec import parse_spec
from pipelines.steps import search, train
from pipelines.store.memory import MemoryStore
from pipelines.training.search_state import board_of
from tests.unit.steps.learning import RUN, learning, spec_of_candidate

LINE = (
    "estimator: sklearn.linear_model.LogisticRegression, method: optuna, budget: 8,"
    " search: {C: {low: 0.0001, high: 100, log: true}}"
)


def text(parallel=2, line=LINE, *, nested=False):
    found = spec_of_candidate(line).replace("folds: 2", f"folds: 2, nested: {str(nested).lower()}")
    return found + (f"search: {{parallel: {parallel}}}\n" if parallel > 1 else "")


def lend_a_hand(world, worker=1, candidate="tried"):
    request = SearchRequest(run=RUN, candidate=candidate, worker=worker, features=world.built)
    return search.run(world.context, request)


def record(world, result):
    return json.loads(world.context.ports.store.get(result.trials))["trials"]


@pytest.mark.parametrize("nested", [False, True])
def test_what_helpers_tried_is_not_tried_again_and_the_result_is_the_same(tmp_path, nested):
    alone = learning(tmp_path, text(nested=nested))
    expected = alone.train("tried")
    world = learning(tmp_path, text(nested=nested))
    helped = lend_a_hand(world)
    assert (helped.candidate, helped.worker) == ("tried", 1)
    assert helped.tried == (24 if nested else 8), "of nested searches too: one for each of 2 folds"
    found = world.train("tried")
    same = {"params", "cv_score", "fold_scores", "cv_nested", "metrics", "settings_tried"}
    assert found.model_dump(include=same) == expected.model_dump(include=same)
    assert {trial["worker"] for trial in record(world, found)} == {1}
    assert {trial["worker"] for trial in record(alone, expected)} == {0}
    assert world.context.ports.registry.runs[found.run_id].tags["trials_at_once"] == "2"


def test_nothing_is_left_of_the_board_and_a_late_helper_does_nothing(tmp_path):
    world = learning(tmp_path, text())
    lend_a_hand(world)
    store = world.context.ports.store
    assert [key for key in store.entries if key.startswith("searches/")]
    found = world.train("tried")
    assert not [key for key in store.entries if key.startswith("searches/")]
    assert lend_a_hand(world, worker=2).tried == 0
    assert world.train("tried") == found


def test_what_a_late_helper_pins_changes_nothing(tmp_path):
    world = learning(tmp_path, text())
    lend_a_hand(world)
    store = world.context.ports.store
    pinned = {k: v for k, v in store.entries.items() if k.startswith("searches/")}
    found = world.train("tried")
    for key, data in pinned.items():
        store.publish(key, data.replace(b'"worker":1', b'"worker":3'))
    assert world.train("tried") == found


def test_settings_that_all_fail_are_tried_again_by_whoever_clears_the_task(tmp_path):
    line = (
        "estimator: sklearn.linear_model.LogisticRegression,"
        " search: {solver: [lbfgs, newton-cg], l1_ratio: [1.0]}"
    )
    world = learning(tmp_path, text(line=line))
    assert lend_a_hand(world).tried == 2
    with pytest.raises(BadData, match="could not be fitted"):
        world.train("tried")
    left = [key for key in world.context.ports.store.entries if key.startswith("searches/")]
    assert [key.rpartition("/")[2] for key in left] == ["closed"]
    assert lend_a_hand(world, worker=2).tried == 0, "nobody needs it"
    with pytest.raises(BadData, match="could not be fitted"):
        world.train("tried")


def test_a_helper_goes_on_once_a_training_that_gave_up_begins_again(tmp_path):
    world = learning(tmp_path, text(nested=True))
    store = world.context.ports.store
    key = train.training_key(world.context, RUN, world.context.spec.candidate("tried"), world.built)
    board = board_of(world.context, world.context.spec.candidate("tried"), key)
    board.close()
    assert lend_a_hand(world).tried == 0, "nor in the searches within"
    board.reopen()
    assert lend_a_hand(world).tried == 24
    assert f"searches/{key}/closed" not in store.entries


def test_an_unknown_candidate_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no candidate 'other'"):
        lend_a_hand(learning(tmp_path, text()), candidate="other")


@pytest.mark.parametrize("candidate", ["baseline", "tried"])
def test_a_helper_that_nobody_needs_does_nothing(tmp_path, candidate):
    assert lend_a_hand(learning(tmp_path, text(parallel=1)), candidate=candidate).tried == 0


class FarStore(MemoryStore):
    """A store on another machine."""

    is_far = True


def test_where_the_store_is_far_a_search_is_taken_over_by_a_worker_without_its_folder(
    tmp_path, monkeypatch
):
    world = learning(tmp_path, text(parallel=1))
    far = FarStore()
    far.objects, far.entries = world.context.ports.store.objects, world.context.ports.store.entries
    world = world.with_ports(store=far)

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.training.predictions.write", die)
        with pytest.raises(KeyboardInterrupt):
            world.train("tried")
    assert len([key for key in far.entries if key.startswith("searches/")]) == 8
    elsewhere = replace(
        world, context=replace(world.context, settings=Settings(home=tmp_path / "elsewhere"))
    )
    fits = []
    monkeypatch.setattr("pipelines.training.search.trials.Trials._fit", lambda *_: fits.append(1))
    assert elsewhere.train("tried").settings_tried == 8
    assert fits == []
    assert not [key for key in far.entries if key.startswith("searches/")]


def test_how_many_trials_are_tried_at_once_is_part_of_what_a_training_follows_from(tmp_path):
    one, two, four = (
        train.training_key(world.context, RUN, world.context.spec.candidate("tried"), world.built)
        for world in (learning(tmp_path, text(parallel)) for parallel in (1, 2, 4))
    )
    assert len({one, two, four}) == 3


def test_the_code_of_a_model_is_the_same_however_its_search_is_spread(tmp_path):
    world = learning(tmp_path, text(1))
    spread = replace(world.context, spec=parse_spec(text(4).encode(), "model.yaml"))
    assert spread.code == world.context.code
