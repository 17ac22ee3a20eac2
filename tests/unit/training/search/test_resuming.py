"""A search that is killed goes on where it was, and ends as it would have ended."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from pipelines.training.search.journal import FoldRun, Journal
from tests.unit.training.search.worlds import LINEAR, C, searched

LINE = f"{LINEAR}, method: optuna, budget: 12, search: {{{C}, fit_intercept: [true, false]}}"


class Killed(BaseException):
    """What no handler takes, as SIGKILL."""


class Killer(logging.Logger):
    """Kills the search at its n-th fit."""

    def __init__(self, fits):
        super().__init__("perennial.tests", logging.INFO)
        self.fits, self.seen = fits, 0

    def info(self, message, *_, **__):
        self.seen += ": fit %d on" in message
        if self.seen == self.fits:
            raise Killed


@pytest.mark.parametrize("kills", [[1], [7], [20], [2, 9, 5, 1, 11]])
def test_a_killed_search_ends_with_the_same_trials(tmp_path, kills):
    undisturbed = searched(LINE)
    for fits in kills:
        with pytest.raises(Killed):
            searched(LINE, folder=tmp_path, log=Killer(fits))
    resumed = searched(LINE, folder=tmp_path)
    assert [(t.number, t.params, t.scores, t.state) for t in resumed.trials] == [
        (t.number, t.params, t.scores, t.state) for t in undisturbed.trials
    ]
    assert resumed.params == undisturbed.params
    assert resumed.fold_scores == undisturbed.fold_scores
    assert np.array_equal(resumed.out_of_fold.answers, undisturbed.out_of_fold.answers)


def test_what_is_done_is_not_done_again(tmp_path):
    searched(LINE, folder=tmp_path)
    log = Killer(1)
    searched(LINE, folder=tmp_path, log=log)
    assert log.seen == 0


def test_a_line_that_was_cut_off_is_as_if_it_were_not_there(tmp_path):
    path = tmp_path / "trials.jsonl"
    Journal(path).add({"C": 1.0}, 1.0, 0, FoldRun(0.7, 0.1))
    with path.open("ab") as file:
        file.write(b'{"key": "torn')
    again = Journal(path)
    again.add({"C": 2.0}, 1.0, 0, FoldRun(0.8, 0.1))
    last = Journal(path)
    assert last.find({"C": 1.0}, 1.0, 0).score == 0.7
    assert last.find({"C": 2.0}, 1.0, 0).score == 0.8
    assert last.find({"C": 2.0}, 1.0, 1) is None
