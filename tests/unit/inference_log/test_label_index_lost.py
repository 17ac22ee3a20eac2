"""An index that is lost, damaged or behind is made anew from the log alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from pipelines.errors import Busy
from pipelines.inference_log.label_index import NewLabel
from pipelines.inference_log.rotation import rotate
from tests.unit.inference_log.label_log import MODEL, Labels, predict


def spoil_missing(index):
    index.path.unlink()


def spoil_garbage(index):
    index.path.write_bytes(b"no database at all, " * 400)


def spoil_empty(index):
    index.path.write_bytes(b"")


def spoil_version(index):
    with sqlite3.connect(index.path) as db:
        db.execute("DELETE FROM labels")
        db.execute("PRAGMA user_version = 99")
    db.close()


@pytest.mark.parametrize("spoil", [spoil_missing, spoil_garbage, spoil_empty, spoil_version])
@pytest.mark.parametrize("rotated", [False, True], ids=["segments", "rotated"])
def test_a_lost_index_is_made_anew_from_the_log(index, local_store, labels, spoil, rotated):
    predict(local_store, "a", ("r1", [None]), ("r2", ["k"]))
    index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels)
    if rotated:
        labels.segment.close()
        rotate(local_store, MODEL, catch_up=index.catch_up)
        assert local_store.segments(f"inference/{MODEL}/predictions") == []
    spoil(index)
    found = index.accept(
        MODEL,
        [NewLabel(0.0, request_id="r1"), NewLabel(1.0, key="k")],
        Labels(local_store, "1-labels"),
    )
    assert found == ["contradicting", "accepted"]


def test_an_index_that_is_damaged_inside_is_made_anew_by_the_next_call(index, local_store, labels):
    predict(local_store, "a", *((f"r{i}", [f"k{i}"]) for i in range(2_000)))
    index.accept(MODEL, [NewLabel(1.0, key="k0")], labels)
    data = bytearray(index.path.read_bytes())
    data[4_096:] = b"\xff" * (len(data) - 4_096)
    index.path.write_bytes(data)
    with pytest.raises(Busy, match="cannot be used now"):
        index.accept(MODEL, [NewLabel(0.0, key="k0")], labels)
    assert index.accept(MODEL, [NewLabel(0.0, key="k0"), NewLabel(1.0, key="k1999")], labels) == [
        "contradicting",
        "accepted",
    ]


@pytest.mark.parametrize("spoil", ["DROP TABLE sources", "ALTER TABLE labels DROP COLUMN label"])
def test_an_index_that_lost_a_table_is_made_anew_by_the_next_call(
    index, local_store, labels, spoil
):
    """Else each later call would say «try again», for ever."""
    predict(local_store, "a", *((f"r{i}", [f"k{i}"]) for i in range(500)))
    index.accept(MODEL, [NewLabel(1.0, key="k0")], labels)
    with closing(sqlite3.connect(index.path)) as db:
        db.execute(spoil)
        db.commit()
    with pytest.raises(Busy, match="cannot be used now"):
        index.accept(MODEL, [NewLabel(0.0, key="k0")], labels)
    assert index.accept(MODEL, [NewLabel(0.0, key="k0"), NewLabel(1.0, key="k499")], labels) == [
        "contradicting",
        "accepted",
    ]


def test_an_older_copy_of_the_index_catches_up(index, local_store, labels):
    predict(local_store, "a", ("r1", [None]))
    index.catch_up(MODEL)
    copy = index.path.read_bytes()
    predict(local_store, "b", ("r2", [None]))
    index.accept(MODEL, [NewLabel(1.0, request_id="r2")], labels)
    index.path.write_bytes(copy)
    assert index.accept(
        MODEL, [NewLabel(0.0, request_id="r2"), NewLabel(1.0, request_id="r1")], labels
    ) == ["contradicting", "accepted"]


def test_an_index_of_a_log_that_is_gone_forgets_it(index, local_store, labels):
    predict(local_store, "a", ("r1", [None]))
    index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels)
    for kind in ("predictions", "labels"):
        for name in local_store.segments(f"inference/{MODEL}/{kind}"):
            local_store.remove("segments", name)
    predict(local_store, "b", ("r2", [None]))
    again = Labels(local_store, "1-labels")
    assert index.accept(
        MODEL, [NewLabel(1.0, request_id="r1"), NewLabel(1.0, request_id="r2")], again
    ) == [
        "unknown",
        "accepted",
    ]


def test_rotation_changes_nothing_for_feedback(index, local_store, labels):
    predict(local_store, "a", ("r1", [None]), ("r2", ["k"]))
    index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels)
    labels.segment.close()
    rotate(local_store, MODEL, catch_up=index.catch_up)
    for entry in local_store.keys(
        f"inference/{MODEL}/rotated"
    ):  # what was read before is not read again: the object is not needed
        assert entry
    for ref in (local_store.root / "objects").rglob("*.parquet"):
        ref.unlink()
    found = index.accept(
        MODEL,
        [NewLabel(0.0, request_id="r1"), NewLabel(1.0, key="k")],
        Labels(local_store, "1-labels"),
    )
    assert found == ["contradicting", "accepted"]
