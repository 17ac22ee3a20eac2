"""What of the store can go that hangs on no run of the ledger."""

from __future__ import annotations

from pipelines.ledger import MemoryLedger
from pipelines.ops.prune.store_leftovers import old_entries
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.store.memory import MemoryStore
from pipelines.training.search import Board
from pipelines.training.search.outcome import Outcome
from pipelines.versions.memory import MemoryVersions


def test_what_a_search_without_an_end_has_left_goes_once_it_is_old():
    moment = [100.0]
    store, ledger = MemoryStore(clock=lambda: moment[0]), MemoryLedger()
    outcome = Outcome(worker=1, scores=[0.5], seconds=[1.0], state="complete")
    for key, moment[0] in (("old", 100.0), ("young", 300.0)):
        board = Board(store, ledger, f"searches/{key}", "trial")
        for each in (board, board.below("fold-1")):
            list(each.spread({0: ({"C": 1.0}, 1.0)}, lambda _: outcome))
    ports = Ports(store, MemoryVersions(), MemoryRegistry(), ledger)
    found = list(old_entries(ports, 200.0))
    assert {leftover.kind for leftover in found} == {"trial of a search"}
    assert all(leftover.remove() for leftover in found)
    assert {key.split("/")[1] for key in store.entries} == {"young"}
    assert len(found) == len(store.entries) == 2
