"""Labels for rows that a host does not know, because they were rotated before it began."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest

from pipelines.inference_log.join import join_labels
from pipelines.inference_log.label_index import Index, NewLabel
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.request_labels import identities_of, names_of
from pipelines.inference_log.rotated_index import RotatedIndex
from pipelines.inference_log.rotation import rotate
from pipelines.inference_log.window_labels import read_labels_of
from pipelines.settings import Settings
from pipelines.store.memory import MemoryStore
from tests.unit.inference_log.label_log import MODEL, Labels, predict


class FarStore(MemoryStore):
    """A store that several hosts share, of which none has a segment of its own left."""

    is_far = True

    def __init__(self):
        super().__init__()
        self.near, self.listed, self.asked = [], [], 0

    def near_segments(self):
        return self.near

    def keys(self, prefix):
        self.listed.append(prefix)
        return super().keys(prefix)

    def read(self, key):
        self.asked += 1
        return super().read(key)

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


def test_each_row_of_a_request_has_its_own_label(store, fresh, tell):
    predict(store, "a", ("r1", ["k1", None, "k3"]), ("r2", ["k3"]))
    rotate(store, MODEL, catch_up=nobody)
    labels = [NewLabel(float(row % 2), request_id="r1", row=row) for row in range(3)]
    assert tell(fresh("late"), *labels) == ["unchecked"] * 3
    rows = join_labels(read_log(store, MODEL), read_labels(store, MODEL)).rows
    found = dict(zip(rows["identity"].to_pylist(), rows["label"].to_pylist(), strict=True))
    assert found == {"k:k1": 0.0, "r:r1#1": 1.0, "k:k3": 0.0}


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
    assert window_labels(store, settings) == [0.0, 1.0]


def window_labels(store, settings):
    """Return the labels of all rows as a look at a window finds them."""
    rows = (log := read_log(store, MODEL)).rows
    index, own = RotatedIndex(settings, store, MODEL), rows["identity"].unique()
    found = read_labels_of(store, MODEL, own, index, lambda: names_of(rows))
    return join_labels(log, found).rows["label"].to_pylist()


@pytest.mark.parametrize("rotated", [False, True])
def test_a_look_finds_what_was_told_of_rows_with_keys_and_of_rows_without(
    store, fresh, tell, settings, rotated
):
    predict(store, "a", ("r1", [None]), ("r2", ["k2"]), ("r1", ["k1"]), ("r3", ["r:r2#0"]))
    rotate(store, MODEL, catch_up=nobody)
    labels = [NewLabel(1.0, request_id="r1"), NewLabel(0.0, request_id="r2")]
    tell(fresh("late"), *labels)
    if rotated:
        rotate(store, MODEL, catch_up=nobody)
    # what the row without a key is called by is its identity: no row with a key takes its label
    assert window_labels(store, settings) == [1.0, 0.0, None, None]
    assert list(labels_of(store).values()) == [None, 0.0, None]  # of r1's two the last is shown


def test_where_no_label_was_told_by_request_a_look_asks_for_none(store, fresh, tell, settings):
    predict(store, "a", ("r1", ["k1"]), ("r2", ["k2"]))
    rotate(store, MODEL, catch_up=nobody)
    tell(fresh("late"), NewLabel(1.0, key="k1"))
    index = RotatedIndex(settings, store, MODEL)
    for _ in range(2):  # in a segment, and rotated
        found = read_labels_of(store, MODEL, pa.array(["k:k1", "k:k2"]), index, never)
        assert found.table["label"].to_pylist() == [1.0]
        rotate(store, MODEL, catch_up=nobody)


def never():
    raise AssertionError("a look makes the names of a window's rows that nobody needs")


def test_who_rotates_a_far_log_need_not_know_its_rows(store, local_store, settings):
    far, near = Index(settings, store), Index(settings, local_store)
    for index, place in ((far, store), (near, local_store)):
        predict(place, "a", ("r1", [None]))
        rotate(place, MODEL, catch_up=index.prepare_rotation)
        assert index.path.exists() == (index is near), "a server beside it reads no Parquet"


def test_who_rotates_what_it_has_not_sent_yet_knows_its_rows_afterwards(store, fresh, tell):
    store.near = [predict(store, "own", ("r1", [None])).name]
    index = fresh("one")
    rotate(store, MODEL, catch_up=index.prepare_rotation)
    store.near = []
    assert tell(index, NewLabel(1.0, request_id="r1")) == ["accepted"]
    assert tell(index, NewLabel(1.0, request_id="r9")) == ["unknown"]


def test_a_label_of_an_unknown_row_costs_the_same_however_old_the_log_is(store, fresh, tell):
    index = fresh("early")
    for name in "abcd":
        predict(store, name, (f"r{name}", [None]))
        assert tell(index, NewLabel(1.0, request_id=f"r{name}")) == ["accepted"]
        rotate(store, MODEL, catch_up=nobody)
    tell(index, NewLabel(1.0, request_id="r9"))
    store.listed, store.asked = [], 0
    assert tell(index, NewLabel(1.0, request_id="r9")) == ["unknown"]
    assert (store.listed, store.asked) == ([], 1), "it asks for the next entry alone"


def test_rows_without_keys_and_labels_are_left_as_they_are(store):
    log = read_log(store, MODEL)
    assert identities_of(log.rows).equals(pa.array([], pa.string()))
    assert join_labels(log, read_labels(store, MODEL)).rows.num_rows == 0


def test_a_segment_that_was_read_in_part_before_it_was_rotated_is_read_to_its_end(
    index, local_store, monkeypatch
):
    growing = predict(local_store, "a", ("r1", [None]), closed=False)
    index.catch_up(MODEL)
    rest = predict(local_store, "b", ("r2", [None]))
    growing.append(local_store.read_segment(rest.name).splitlines(keepends=True)[-1])
    growing.close()
    local_store.remove("segments", rest.name)
    rotate(local_store, MODEL, catch_up=nobody)
    with monkeypatch.context() as image:
        image.setitem(sys.modules, "pyarrow", None)
        told = [NewLabel(1.0, request_id="r1"), NewLabel(1.0, request_id="r9")]
        assert index.accept(MODEL, told, Labels(local_store)) == ["accepted", "unchecked"]
    told = [NewLabel(1.0, request_id="r2"), NewLabel(1.0, request_id="r9")]
    assert index.accept(MODEL, told, Labels(local_store, "b")) == ["accepted", "unknown"]


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
