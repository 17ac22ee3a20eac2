"""A search whose workers take turns in a real PostgreSQL; one of them is killed at work."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from pipelines.ledger.sql import SqlLedger
from pipelines.store.local import LocalStore
from pipelines.training.search import Board, search
from pipelines.training.search.outcome import Outcome
from tests.contracts.processes import finish, start
from tests.docker import postgres
from tests.unit.training.search.test_sharing import METHODS, facts, ground

pytestmark = pytest.mark.engine

WORKER = """
import logging, os, signal, sys
from dataclasses import replace
from pathlib import Path
from pipelines.ledger.sql import SqlLedger
from pipelines.store.local import LocalStore
from pipelines.training.search import Board
from pipelines.training.search.run import try_settings
from tests.unit.training.search.test_sharing import METHODS, ground

class Log(logging.Logger):
    fits = int(sys.argv[4])
    def info(self, message, *args, **kwargs):
        self.fits -= ": fit %d on" in message
        if self.fits == 0:
            os.kill(os.getpid(), signal.SIGKILL)

url, root, worker = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
board = Board(LocalStore(root), SqlLedger(url), "searches/key", "trial", worker)
stands_on = replace(ground(METHODS["optuna"]), log=Log("perennial.tests"))
print(try_settings(stands_on, board=board)[0].own)
"""


@pytest.fixture(scope="module")
def url(engine):
    with postgres.running(engine) as server:
        yield server.database()


def test_a_killed_worker_s_trial_is_taken_over_and_the_winner_is_that_of_one_process(url, tmp_path):
    killed = start(WORKER, url, tmp_path, 1, 6)
    killed.communicate(timeout=120)
    assert killed.returncode == -9
    board = Board(LocalStore(tmp_path), SqlLedger(url), "searches/key", "trial")
    left = board.store.keys("searches/key")
    assert len(left) == 1, "of four folds each, the second trial was at its second"
    helpers = [start(WORKER, url, tmp_path, worker, -1) for worker in (2, 3)]
    found = search(ground(METHODS["optuna"]), board=board)
    tried = [int(line) for line in finish(*helpers)]
    assert facts(found) == facts(search(ground(METHODS["optuna"])))
    assert sum(trial.worker == 1 for trial in found.trials) == 1
    own = sum(trial.worker == 0 for trial in found.trials)
    assert own + sum(tried) + 1 == len(found.trials), "none was fitted twice"


def test_a_database_that_cuts_a_worker_off_costs_it_no_trial(url, tmp_path):
    """As where it is started anew: the turn is gone, and the fit goes on to its end."""
    board = Board(LocalStore(tmp_path), SqlLedger(url), "searches/key", "trial")
    outcome = Outcome(worker=0, scores=[0.5], seconds=[1.0], state="complete")
    taken = []

    def attempt(_):
        database = create_engine(url, isolation_level="AUTOCOMMIT")
        with database.connect() as connection:
            cut = connection.execute(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            ).scalar_one()
        database.dispose()
        assert cut == 1
        with board.ledger.turn("trial-0") as is_free:
            taken.append(is_free)
        return outcome

    assert list(board.spread({0: ({"C": 1.0}, 1.0)}, attempt)) == [(0, outcome, True)]
    assert taken == [True], "meanwhile another worker could have had the turn"
