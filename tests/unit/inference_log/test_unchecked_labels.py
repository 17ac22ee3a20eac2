"""Labels for rows that a host does not know, because they were rotated before it began."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest

from pipelines.inference_log.join import join_labels
from pipelines.inference_log.label_index import Index, NewLabel
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.request_labels import identities_of
from pipelines.inference_log.rotated_index import RotatedIndex
from pipelines.inference_log.rotation import rotate
from pipelines.inference_log.window_labels import read_labels_of
from pipelines.settings import Settings
from pipelines.store.memory import MemoryStore
from tests.unit.inference_log.label_log import MODEL, Labels, predict


class FarStore(MemoryStore):
    """A store that several hosts share, of which none has a segment of its own left."""

    is_far = True

    def near_segments(self):
        return []

    def path(self, ref):
        raise AssertionError(f"a request waits for {ref.uri}")


@pytest.fixture
def store():
    return FarStore()


@pytest.fixture
def fresh(settings, store, tmp_path):
    """Return a host that begins now."""

    def begin(name):
        return Index(Settings(state=tmp_path / name, lock_timeout_seconds=20), store)

    return begin


@pytest.fixture
def tell(store):
    """Tell a host of labels; return what became of them."""
    files = iter("abcdef")

    def told(index, *labels):
        write = Labels(store, f"{next(files)}-labels")
        outcomes = index.accept(MODEL, list(labels), write)
        write.segment.close()
        return outcomes

    return told


def nobody(_):
    """Nobody remembers anything of what is rotated."""


def labels_of(store):
    """Return the labels of all rows, by request and place."""
    rows = join_labels(read_log(store, MODEL), read_labels(store, MODEL)).rows
    names = zip(rows["request_id"].to_pylist(), rows["row"].to_pylist(), strict=True)
    return dict(zip(names, rows["label"].to_pylist(), strict=True))


def test_a_label_of_a_rotated_row_is_taken_by_a_host_that_began_later(store, fresh, tell):
    predict(store, "a", ("r1", [None]), ("r2", ["k2"]), ("r3", ["k3"]), ("r4", [None]))
    rotate(store, MODEL, catch_up=nobody)
    index = fresh("late")
    labels = [
        NewLabel(1.0, request_id="r1"),
        NewLabel(0.0, key="k2"),
        NewLabel(1.0, request_id="r3"),  # the host does not know that it has a key
    ]
    assert tell(index, *labels) == ["unchecked"] * 3
    assert tell(index, NewLabel(1.0, request_id="r1"), NewLabel(1.0, key="k2")) == [
        "repeated",
        "contradicting",
    ]
    expected = {("r1", 0): 1.0, ("r2", 0): 0.0, ("r3", 0): 1.0, ("r4", 0): None}
    assert labels_of(store) == expected
    rotate(store, MODEL, catch_up=nobody)
    assert labels_of(store) == expected


def test_a_row_is_still_checked_where_its_host_knows_it(store, fresh, tell):
    rotated = predict(store, "a", ("old", [None]))
    rotate(store, MODEL, catch_up=nobody)
    assert rotated.name not in store.segments(f"inference/{MODEL}/predictions")
    predict(store, "b", ("sent", ["k"]))
    index = fresh("late")
    # the first label of a row that it does not know tells it that it has begun late
    assert tell(index, NewLabel(1.0, request_id="old")) == ["unchecked"]
    assert tell(index, NewLabel(1.0, request_id="sent"), NewLabel(0.0, key="k")) == [
        "accepted",
        "contradicting",
    ]


def test_a_host_that_has_read_all_before_it_was_rotated_refuses_what_nobody_answered(
    store, fresh, tell
):
    predict(store, "a", ("r1", [None]))
    index = fresh("early")
    assert tell(index, NewLabel(1.0, request_id="r9")) == ["unknown"]
    rotate(store, MODEL, catch_up=nobody)
    assert tell(index, NewLabel(1.0, request_id="r1")) == ["accepted"]
    assert tell(index, NewLabel(1.0, request_id="r9")) == ["unknown"]
    assert tell(fresh("late"), NewLabel(1.0, request_id="r9")) == ["unchecked"]


def test_of_a_label_by_request_and_one_by_key_the_first_counts(store, fresh, tell):
    predict(store, "a", ("r1", ["k1"]), ("r2", ["k2"]))
    rotate(store, MODEL, catch_up=nobody)
    assert tell(fresh("one"), NewLabel(1.0, request_id="r1")) == ["unchecked"]
    assert tell(fresh("two"), NewLabel(0.0, key="k1")) == ["unchecked"]
    assert labels_of(store) == {("r1", 0): 1.0, ("r2", 0): None}


def test_a_label_by_a_request_that_several_events_have_is_of_none_of_them(store, fresh, tell):
    predict(store, "a", ("again", ["k1"]), ("again", ["k2"]), ("again", ["k2"]))
    rotate(store, MODEL, catch_up=nobody)
    assert tell(fresh("late"), NewLabel(1.0, request_id="again")) == ["unchecked"]
    rows = join_labels(read_log(store, MODEL), read_labels(store, MODEL)).rows
    assert rows["label"].to_pylist() == [None, None]


def test_a_look_at_a_window_finds_them(store, fresh, tell, settings):
    predict(store, "a", ("r1", [None]), ("r2", ["k2"]))
    rotate(store, MODEL, catch_up=nobody)
    tell(fresh("late"), NewLabel(1.0, request_id="r2"), NewLabel(0.0, request_id="r1"))
    rotate(store, MODEL, catch_up=nobody)
    log = read_log(store, MODEL)
    asked = identities_of(log.rows)
    assert sorted(asked.to_pylist()) == ["k:k2", "r:r1#0", "r:r2#0"]
    found = read_labels_of(store, MODEL, asked, RotatedIndex(settings, store, MODEL))
    assert join_labels(log, found).rows["label"].to_pylist() == [0.0, 1.0]


def test_who_rotates_a_far_log_need_not_know_its_rows(store, local_store, settings):
    far, near = Index(settings, store), Index(settings, local_store)
    for index, place in ((far, store), (near, local_store)):
        predict(place, "a", ("r1", [None]))
        rotate(place, MODEL, catch_up=index.before_rotation)
        assert index.path.exists() == (index is near), "a server beside it reads no Parquet"


def test_rows_without_keys_and_labels_are_left_as_they_are(store):
    log = read_log(store, MODEL)
    assert identities_of(log.rows).equals(pa.array([], pa.string()))
    assert join_labels(log, read_labels(store, MODEL)).rows.num_rows == 0


def test_a_server_without_pyarrow_takes_labels_of_rotated_rows_and_one_with_it_checks_them(
    index, local_store, monkeypatch
):
    known = predict(local_store, "a", ("r1", [None]))
    index.catch_up(MODEL)
    predict(local_store, "b", ("r2", ["k2"]))
    rotate(local_store, MODEL, catch_up=nobody)
    assert known.name not in local_store.segments(f"inference/{MODEL}/predictions")
    told = [NewLabel(1.0, request_id=request) for request in ("r1", "r2", "r9")]
    with monkeypatch.context() as image:
        image.setitem(sys.modules, "pyarrow", None)
        first = Labels(local_store, "first")
        assert index.accept(MODEL, told, first) == ["accepted", "unchecked", "unchecked"]
        assert index.accept(MODEL, told, first) == ["repeated"] * 3
    assert index.accept(MODEL, [NewLabel(0.0, key="k2")], Labels(local_store, "two")) == [
        "accepted"
    ]
    assert index.accept(MODEL, [NewLabel(0.0, request_id="r8")], first) == ["unknown"]
    assert labels_of(local_store) == {("r1", 0): 1.0, ("r2", 0): 1.0}
