"""A search that two hosts share through a bucket: each trial once, and nothing left behind."""

from __future__ import annotations

import threading

from pipelines.ledger import MemoryLedger
from pipelines.training.search import Board, search
from pipelines.training.search.run import try_settings
from tests.buckets import bucket_store
from tests.unit.training.search.test_sharing import METHODS, facts, ground


def test_two_hosts_with_a_bucket_between_them_find_what_one_process_finds(address, tmp_path):
    ledger = MemoryLedger()
    mine, other = (
        Board(bucket_store(address, tmp_path / str(n)), ledger, "searches/key", "trial", n)
        for n in (0, 1)
    )
    helped = []

    def lend_a_hand():
        helped.append(try_settings(ground(METHODS["optuna"]), board=other)[0].own)

    thread = threading.Thread(target=lend_a_hand)
    thread.start()
    found = search(ground(METHODS["optuna"]), board=mine)
    thread.join()
    assert facts(found) == facts(search(ground(METHODS["optuna"])))
    own = sum(trial.worker == 0 for trial in found.trials)
    assert (own + sum(helped), len(helped)) == (len(found.trials), 1)
    mine.close()
    assert other.store.keys("searches/key") == ["searches/key/closed"]
    other.reopen()
    assert mine.store.keys("searches/key") == []
