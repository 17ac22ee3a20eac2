"""What a version's metric loses without each input is found by its verdict's run."""

from __future__ import annotations

import pytest

from pipelines.cards.figures import (
    MOST_INPUTS,
    CardFigures,
    LossByInput,
    Shuffled,
    keep_figures,
)
from pipelines.cards.importances import find_importances
from pipelines.ledger import MemoryLedger
from pipelines.store.memory import MemoryStore
from tests.decisions import gate_verdict


def keep(store, losses, left_out=0):
    shuffled = Shuffled(
        metric="rmse",
        rows=10,
        repeats=1,
        evidence="",
        left_out=left_out,
        losses=[LossByInput(name=n, loss=v) for n, v in losses.items()],
    )
    keep_figures(store, "sales", "run", CardFigures(version="3", candidate="c", shuffled=shuffled))


@pytest.fixture
def ledger():
    ledger = MemoryLedger()
    ledger.append("sales", "run", gate_verdict(version="3"))
    return ledger


def test_the_losses_of_the_versions_own_run_are_found(ledger):
    store = MemoryStore()
    assert find_importances(ledger, store, "sales", "3", ["a"]) is None
    keep(store, {"a": 0.5, "b": 0.1})
    assert find_importances(ledger, store, "sales", "3", ["a", "c"]) == {"a": 0.5}
    assert find_importances(ledger, store, "sales", "4", ["a"]) is None


@pytest.mark.parametrize("left_out", [0, 2])
def test_of_more_inputs_than_are_kept_the_others_lose_no_more_than_the_least(ledger, left_out):
    store = MemoryStore()
    keep(store, {f"c{i}": 1.0 - i / 100 for i in range(MOST_INPUTS)}, left_out)
    found = find_importances(ledger, store, "sales", "3", ["c0", "beyond"])
    least = {} if left_out else {"beyond": 1.0 - (MOST_INPUTS - 1) / 100}
    assert found == {"c0": 1.0} | least
