"""Figures of windows: the one that ends last counts, of several looks the last one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.errors import Corrupted
from pipelines.store.drift_figures import DriftFigures, newest_figures, publish_figures
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path) if request.param == "local" else MemoryStore()


def figures(month, verdict="no_drift", **more):
    facts = {
        "rows": 10,
        "labelled": 5,
        "coverage": 0.5,
        "drifted": 1,
        "columns": 4,
        "metric": "roc_auc",
        "live": 0.7,
        "expected": None,
    }
    return DriftFigures(
        verdict=verdict, window_end=datetime(2024, month, 1, tzinfo=UTC), **{**facts, **more}
    )


def test_the_window_that_ends_last_counts_whenever_it_was_looked_at(store):
    assert newest_figures(store, "m") is None
    for month in (3, 10, 2):
        publish_figures(store, "m", figures(month))
    assert newest_figures(store, "m") == figures(10)
    assert newest_figures(store, "other") is None


def test_of_several_looks_at_a_window_the_last_one_counts(store):
    for number in range(12):
        publish_figures(store, "m", figures(3, rows=number))
    publish_figures(store, "m", figures(3, "drift"))
    assert newest_figures(store, "m") == figures(3, "drift")


def test_the_same_again_writes_nothing(store):
    for _ in range(3):
        publish_figures(store, "m", figures(3))
    assert len(store.keys("watch/m")) == 1


def test_an_entry_that_is_none_is_named(store):
    store.publish("watch/m/2024-03-01T00:00:00Z~000001", b"{}")
    with pytest.raises(Corrupted, match="watch/m/2024-03-01"):
        newest_figures(store, "m")
