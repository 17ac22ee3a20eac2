"""A search that several workers share: the same trials and the same winner as in one process."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from pipelines.errors import BadData
from pipelines.ledger import MemoryLedger
from pipelines.ledger.sql import SqlLedger
from pipelines.spec.search import Search
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from pipelines.training.search import Board, search
from pipelines.training.search.clock import TimeIsUp
from pipelines.training.search.outcome import Outcome
from pipelines.training.search.run import try_settings
from tests.conftest import ROOT
from tests.unit.training.search.worlds import LINEAR, C, folds, ground_of, rows, spec_with

SPACE = f"search: {{{C}, fit_intercept: [true, false]}}"
TREE = (
    "estimator: sklearn.tree.DecisionTreeClassifier, method: optuna, budget: 24, search: {"
    "max_depth: {low: 1, high: 12, whole: true},"
    " min_samples_leaf: {low: 1, high: 200, whole: true, log: true}}"
)
METHODS = {
    "optuna": TREE,
    "halving": f"{LINEAR}, method: halving, budget: 9, {SPACE}",
    "random": f"{LINEAR}, method: random, budget: 7, {SPACE}",
    "grid": f"{LINEAR}, method: grid, search: {{C: [0.0001, 0.01, 1.0], max_iter: [50, 90]}}",
}


def ground(line, parallel=4, count=720):
    spec = spec_with(line).model_copy(update={"search": Search(parallel=parallel)})
    inputs, y = rows(count)
    return ground_of(spec, inputs, y, folds(len(y), 4))


def board(worker=0, store=None, ledger=None):
    return Board(store or MemoryStore(), ledger or MemoryLedger(), "searches/key", "trial", worker)


def facts(result):
    return [(t.number, t.params, t.scores, t.state, t.share) for t in result.trials]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("helpers", [0, 1, 3])
def test_however_many_workers_come_to_what_one_process_comes_to(method, helpers):
    alone, first = search(ground(METHODS[method])), board()
    tried = []

    def lend_a_hand(worker):
        tried.append(try_settings(ground(METHODS[method]), board=replace(first, worker=worker))[0])

    threads = [threading.Thread(target=lend_a_hand, args=(n + 1,)) for n in range(helpers)]
    for thread in threads:
        thread.start()
    shared = search(ground(METHODS[method]), board=first)
    for thread in threads:
        thread.join()
    assert facts(shared) == facts(alone)
    assert (shared.params, shared.fold_scores) == (alone.params, alone.fold_scores)
    assert np.array_equal(shared.out_of_fold.answers, alone.out_of_fold.answers)
    assert len(tried) == helpers
    assert all(facts_of(trials) == facts(alone) for trials in tried)
    mine = sum(trial.worker == 0 for trial in shared.trials)
    assert mine + sum(trials.own for trials in tried) == len(alone.trials), "none is fitted twice"


def facts_of(trials):
    return [(t.number, t.params, t.scores, t.state, t.share) for t in trials.tried]


def test_some_trials_of_these_are_given_up_early_so_that_pruning_is_tested_too():
    assert "pruned" in {trial.state for trial in search(ground(METHODS["optuna"])).trials}


def test_a_study_is_defined_by_the_size_of_its_rounds():
    """One that learns after each trial proposes others than one that learns after five."""
    apart, together = (search(ground(METHODS["optuna"], n)).trials for n in (1, 5))
    assert [t.params for t in apart[:8]] == [t.params for t in together[:8]], "drawn by chance"
    assert [t.params for t in apart] != [t.params for t in together]


def test_what_another_worker_fitted_is_not_fitted_again():
    first = board()
    try_settings(ground(METHODS["optuna"]), board=replace(first, worker=3))
    found = search(ground(METHODS["optuna"]), board=first)
    assert {trial.worker for trial in found.trials} == {3}


class Died(BaseException):
    """What no handler takes."""


def test_a_worker_that_dies_leaves_its_trial_to_the_next(tmp_path):
    """The turn ends with its process, which is killed while it fits."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from pipelines.ledger.sql import SqlLedger\n"
        "from pipelines.store.local import LocalStore\n"
        "from pipelines.training.search import Board\n"
        "root = Path(sys.argv[1]); ledger = SqlLedger(f'sqlite:///{root}/ledger.db')\n"
        "board = Board(LocalStore(root / 'store'), ledger, 'searches/key', 'trial', 1)\n"
        "def attempt(number): print('at work', flush=True); time.sleep(600)\n"
        "list(board.spread({0: ({'C': 1.0}, 1.0)}, attempt))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"at work\n"
    looks = []

    def wait(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            process.kill()
            process.wait()

    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    mine = Board(LocalStore(tmp_path / "store"), ledger, "searches/key", "trial", sleep=wait)
    outcome = Outcome(worker=0, scores=[0.5], seconds=[1.0], state="complete")
    assert list(mine.spread({0: ({"C": 1.0}, 1.0)}, lambda _: outcome)) == [(0, outcome, True)]
    assert looks[:3] == sorted(looks[:3]), "it looks less and less often"
    assert len(looks) >= 3
    process.stdout.close()


def test_of_two_that_fitted_one_trial_the_first_counts_for_both():
    """As where a worker was cut off from the database, and another one took its trial over."""
    store = MemoryStore()
    settings = {0: ({"C": 1.0}, 1.0)}
    early, late = (
        Outcome(worker=n, scores=[0.6], seconds=[float(n)], state="complete") for n in (1, 2)
    )

    def attempt(_):
        [(_, counted, is_ours)] = board(1, store).spread(settings, lambda _: early)
        assert (counted, is_ours) == (early, True)
        return late

    assert list(board(2, store).spread(settings, attempt)) == [(0, early, False)]


def test_a_damaged_outcome_is_fitted_again_and_healed(tmp_path):
    store = LocalStore(tmp_path)
    settings = {0: ({"C": 1.0}, 1.0)}
    outcome = Outcome(worker=0, scores=[0.6], seconds=[1.0], state="complete")
    list(board(store=store).spread(settings, lambda _: outcome))
    [path] = (tmp_path / "keys" / "searches" / "key").iterdir()
    path.write_bytes(path.read_bytes().replace(b"0.6", b"0.9"))
    assert list(board(store=store).spread(settings, lambda _: outcome)) == [(0, outcome, True)]
    assert b"0.6" in path.read_bytes()


def test_the_minutes_of_one_worker_end_the_search_of_all():
    first = board()

    def attempt(number):
        if number == 1:
            raise TimeIsUp
        return Outcome(worker=0, scores=[0.6], seconds=[7.0], state="complete")

    settings = {n: ({"C": float(n)}, 1.0) for n in range(3)}
    found = []
    with pytest.raises(TimeIsUp):
        found.extend(first.spread(settings, attempt))
    second = replace(first, worker=1)
    with pytest.raises(TimeIsUp):
        found.extend(second.spread(settings, lambda _: pytest.fail("no fit is begun any more")))
    assert second.seconds == 7.0


def test_a_search_that_time_has_ended_keeps_what_all_workers_had():
    line = METHODS["random"].replace("budget: 7", "budget: {trials: 7, minutes: 60}")
    first = board()
    whole = try_settings(ground(line), board=replace(first, worker=1))[0]
    store = MemoryStore()
    store.entries |= {k: v for k, v in first.store.entries.items() if not k.startswith(GONE)}
    store.publish("searches/key/over", b"{}")
    found = search(ground(line), board=board(store=store))
    assert found.ended_by == "minutes"
    assert [t.state for t in found.trials] == ["complete"] * 2 + ["unfinished"] + ["complete"] * 4
    assert [t.scores for t in found.trials if t.state == "complete"] == [
        t.scores for t in whole.tried if t.number != 2
    ]


GONE = "searches/key/0002"


def test_a_setting_that_fails_is_fitted_by_one_worker_and_all_know_why():
    broken = ground(f"{LINEAR}, search: {{solver: [lbfgs, newton-cg], l1_ratio: [1.0]}}")
    first = board()
    with pytest.raises(BadData) as alone:
        search(broken)
    trials, _ = try_settings(broken, board=replace(first, worker=1))
    assert [trial.state for trial in trials.tried] == ["failed"] * 2
    with pytest.raises(BadData) as shared:
        search(broken, board=first)
    assert (str(shared.value), shared.value.at) == (str(alone.value), alone.value.at)


def test_the_board_is_taken_down_without_the_boards_beside_it():
    first = board()
    other = replace(first, folder="searches/other")
    outcome = Outcome(worker=0, scores=[0.6], seconds=[1.0], state="complete")
    for one in (first, first.below("fold-1"), other):
        list(one.spread({0: ({}, 1.0)}, lambda _: outcome))
    first.clear()
    assert [key.split("/")[1] for key in first.store.entries] == ["other"]
