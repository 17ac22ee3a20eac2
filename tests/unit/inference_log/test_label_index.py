"""The index of feedback.

Made from the log alone, right after any loss, and one label per row whoever brings it.
"""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing

import pytest

from pipelines.errors import Busy, StorageFull
from pipelines.inference_log.format import (
    AnswerRecord,
    Header,
    LabelRecord,
    LoggedColumn,
    header_lines,
    line,
)
from pipelines.inference_log.label_index import Index, NewLabel
from pipelines.inference_log.rotation import rotate
from pipelines.settings import Settings
from pipelines.store.local import LocalStore

MODEL = "flights"
PREDICTIONS = Header(
    kind="predictions",
    model=MODEL,
    version="1",
    release=1,
    task="binary",
    columns=(LoggedColumn("x", "number"),),
)
LABELS = Header(kind="labels", model=MODEL)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path, lock_timeout_seconds=20)


@pytest.fixture
def index(settings, store):
    return Index(settings, store)


def predict(store, name, *requests, model=MODEL, tail=b"", closed=True):
    """Write one segment of requests, each (request id, keys) with one row per key."""
    segment = store.open_segment(f"inference/{model}/predictions/2026-11-21-{name}")
    segment.append(header_lines(PREDICTIONS))
    for request_id, keys in requests:
        segment.append(
            line(
                AnswerRecord(
                    request_id, 1_000, 0.001, [[1.0]] * len(keys), [0.5] * len(keys), list(keys)
                )
            )
        )
    if tail:
        segment.append(tail)
    if closed:
        segment.close()
    return segment


class Labels:
    """What the server does with accepted labels; keeps them too."""

    def __init__(self, store, name="0-labels"):
        self.segment = store.open_segment(f"inference/{MODEL}/labels/2026-11-21-{name}")
        self.segment.append(header_lines(LABELS))
        self.written = []

    def __call__(self, new):
        self.segment.append(b"".join(line(LabelRecord(i, label, 2_000, "f")) for i, label in new))
        self.written += new


@pytest.fixture
def labels(store):
    return Labels(store)


def test_labels_come_by_request_row_or_key(index, store, labels):
    predict(store, "a", ("r1", [None, None]), ("r2", ["k2"]))
    told = [
        NewLabel(1.0, request_id="r1"),
        NewLabel(0.0, request_id="r1", row=1),
        NewLabel(1.0, key="k2"),
    ]
    assert index.accept(MODEL, told, labels) == ["accepted"] * 3
    assert labels.written == [("r:r1#0", 1.0), ("r:r1#1", 0.0), ("k:k2", 1.0)]


def test_a_row_with_a_key_is_one_event_by_whichever_name(index, store, labels):
    predict(store, "a", ("r1", ["k"]), ("r2", ["k"]))
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r2")], labels) == ["accepted"]
    assert labels.written == [("k:k", 1.0)]
    again = [NewLabel(1.0, key="k"), NewLabel(0.0, request_id="r1"), NewLabel(1.0, request_id="r1")]
    assert index.accept(MODEL, again, labels) == ["repeated", "contradicting", "repeated"]
    assert labels.written == [("k:k", 1.0)]


def test_what_was_not_predicted_is_unknown(index, store, labels):
    predict(store, "a", ("r1", ["k"]))
    unknown = [
        NewLabel(1.0, request_id="r9"),
        NewLabel(1.0, request_id="r1", row=1),
        NewLabel(1.0, key="r1"),
        NewLabel(1.0, key=""),
    ]
    assert index.accept(MODEL, unknown, labels) == ["unknown"] * 4
    assert index.accept("minutes", [NewLabel(1.0, key="k")], labels) == ["unknown"]
    assert labels.written == []


def test_several_labels_of_one_row_in_one_request(index, store, labels):
    predict(store, "a", ("r1", ["k"]))
    told = [
        NewLabel("late", key="k"),
        NewLabel("late", request_id="r1"),
        NewLabel("early", key="k"),
    ]
    assert index.accept(MODEL, told, labels) == ["accepted", "repeated", "contradicting"]
    assert labels.written == [("k:k", "late")]


def test_rows_that_were_logged_since_are_known(index, store, labels):
    segment = predict(store, "a", ("r1", [None]), closed=False)
    assert index.accept(
        MODEL, [NewLabel(1.0, request_id="r1"), NewLabel(1.0, request_id="r2")], labels
    ) == ["accepted", "unknown"]
    segment.append(line(AnswerRecord("r2", 1_000, 0.001, [[1.0]], [0.5])))
    predict(store, "b", ("r3", [None]))
    assert (
        index.accept(
            MODEL, [NewLabel(1.0, request_id="r2"), NewLabel(1.0, request_id="r3")], labels
        )
        == ["accepted"] * 2
    )


def test_half_a_line_is_read_when_it_is_whole(index, store, labels):
    whole = line(AnswerRecord("r2", 1_000, 0.001, [[1.0]], [0.5]))
    segment = predict(store, "a", ("r1", [None]), tail=whole[:20], closed=False)
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r2")], labels) == ["unknown"]
    segment.append(whole[20:])
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r2")], labels) == ["accepted"]


def test_damaged_lines_and_segments_cost_only_themselves(index, store, labels):
    damaged = bytearray(line(AnswerRecord("r2", 1_000, 0.001, [[1.0]], [0.5])))
    damaged[30] ^= 1
    good = line(AnswerRecord("r3", 1_000, 0.001, [[1.0]], [0.5]))
    predict(store, "a", ("r1", [None]), tail=bytes(damaged) + good + b"torn")
    headless = store.open_segment(f"inference/{MODEL}/predictions/2026-11-21-b")
    headless.append(b"no header\n" + good.replace(b"r3", b"r4"))
    told = [NewLabel(1.0, request_id=f"r{i}") for i in (1, 2, 3, 4)]
    assert index.accept(MODEL, told, labels) == ["accepted", "unknown", "accepted", "unknown"]


def test_a_damaged_header_costs_no_row(index, store, labels):
    segment = store.open_segment(f"inference/{MODEL}/predictions/2026-11-21-a")
    segment.append(b"x" + line(PREDICTIONS)[1:])
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels) == ["unknown"]
    segment.append(line(PREDICTIONS) + line(AnswerRecord("r1", 1_000, 0.001, [[1.0]], [0.5])))
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels) == ["accepted"]


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize("keys", [("k1", "k2"), (None, "k2"), ("k1", None)])
def test_a_request_id_of_several_keys_names_no_row(index, store, labels, keys, rebuilt):
    predict(store, "a", ("r", [keys[0], "same"]), ("s", [None]))
    index.catch_up(MODEL)
    predict(store, "b", ("r", [keys[1], "same"]), ("s", [None]))
    if rebuilt:
        index.path.unlink(missing_ok=True)
    told = [
        NewLabel(1.0, request_id="r"),
        NewLabel(1.0, request_id="r", row=1),
        NewLabel(1.0, request_id="s"),
    ]
    assert index.accept(MODEL, told, labels) == ["ambiguous", "accepted", "accepted"]
    by_key = [NewLabel(0.0, key=key) for key in keys if key is not None]
    assert index.accept(MODEL, by_key, labels) == ["accepted"] * len(by_key)


def test_a_label_that_could_not_be_written_was_not_accepted(index, store, labels):
    predict(store, "a", ("r1", [None]))

    def full(_):
        raise StorageFull("no room")

    with pytest.raises(StorageFull):
        index.accept(MODEL, [NewLabel(1.0, request_id="r1")], full)
    assert index.accept(MODEL, [NewLabel(0.0, request_id="r1")], labels) == ["accepted"]


def test_a_label_on_the_disk_counts_though_its_writer_died_before_the_index_knew(
    index, store, labels
):
    predict(store, "a", ("r1", [None]))
    labels([("r:r1#0", 1.0)])
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels) == ["repeated"]
    assert index.accept(MODEL, [NewLabel(0.0, request_id="r1")], labels) == ["contradicting"]


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
def test_a_lost_index_is_made_anew_from_the_log(index, store, labels, spoil, rotated):
    predict(store, "a", ("r1", [None]), ("r2", ["k"]))
    index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels)
    if rotated:
        labels.segment.close()
        rotate(store, MODEL, catch_up=index.catch_up)
        assert store.segments(f"inference/{MODEL}/predictions") == []
    spoil(index)
    found = index.accept(
        MODEL, [NewLabel(0.0, request_id="r1"), NewLabel(1.0, key="k")], Labels(store, "1-labels")
    )
    assert found == ["contradicting", "accepted"]


def test_an_index_that_is_damaged_inside_is_made_anew_by_the_next_call(index, store, labels):
    predict(store, "a", *((f"r{i}", [f"k{i}"]) for i in range(2_000)))
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
def test_an_index_that_lost_a_table_is_made_anew_by_the_next_call(index, store, labels, spoil):
    """Else each later call would say «try again», for ever."""
    predict(store, "a", *((f"r{i}", [f"k{i}"]) for i in range(500)))
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


def test_an_older_copy_of_the_index_catches_up(index, store, labels):
    predict(store, "a", ("r1", [None]))
    index.catch_up(MODEL)
    copy = index.path.read_bytes()
    predict(store, "b", ("r2", [None]))
    index.accept(MODEL, [NewLabel(1.0, request_id="r2")], labels)
    index.path.write_bytes(copy)
    assert index.accept(
        MODEL, [NewLabel(0.0, request_id="r2"), NewLabel(1.0, request_id="r1")], labels
    ) == ["contradicting", "accepted"]


def test_an_index_of_a_log_that_is_gone_forgets_it(index, store, labels):
    predict(store, "a", ("r1", [None]))
    index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels)
    for kind in ("predictions", "labels"):
        for name in store.segments(f"inference/{MODEL}/{kind}"):
            store.remove("segments", name)
    predict(store, "b", ("r2", [None]))
    again = Labels(store, "1-labels")
    assert index.accept(
        MODEL, [NewLabel(1.0, request_id="r1"), NewLabel(1.0, request_id="r2")], again
    ) == [
        "unknown",
        "accepted",
    ]


def test_rotation_changes_nothing_for_feedback(index, store, labels):
    predict(store, "a", ("r1", [None]), ("r2", ["k"]))
    index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels)
    labels.segment.close()
    rotate(store, MODEL, catch_up=index.catch_up)
    for entry in store.keys(
        f"inference/{MODEL}/rotated"
    ):  # what was read before is not read again: the object is not needed
        assert entry
    for ref in (store.root / "objects").rglob("*.parquet"):
        ref.unlink()
    found = index.accept(
        MODEL, [NewLabel(0.0, request_id="r1"), NewLabel(1.0, key="k")], Labels(store, "1-labels")
    )
    assert found == ["contradicting", "accepted"]


def test_the_index_file_is_for_its_owner_only(index):
    index.catch_up(MODEL)
    assert index.path.stat().st_mode & 0o777 == 0o600


def test_a_lock_that_is_held_too_long_is_said(store, tmp_path):
    index = Index(Settings(state=tmp_path, lock_timeout_seconds=0.05), store)
    with index._hold(), pytest.raises(Busy, match="not free"):
        index.catch_up(MODEL)


def bring(root, state, name, label, start, results):
    store = LocalStore(root)
    index = Index(Settings(state=state), store)
    written = Labels(store, name)
    start.wait()
    found = [index.accept(MODEL, [NewLabel(label, key=f"k{i}")], written)[0] for i in range(30)]
    results.put((found, written.written))


@pytest.mark.slow
@pytest.mark.parametrize("others", [[1.0, 1.0], [1.0, 0.0]], ids=["the same", "another"])
def test_of_two_processes_that_bring_a_label_at_once_one_writes_it(store, tmp_path, others):
    predict(store, "a", *((f"r{i}", [f"k{i}"]) for i in range(30)))
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(
            target=bring, args=(store.root, tmp_path, f"{n}-labels", label, start, results)
        )
        for n, label in enumerate(others)
    ]
    for process in processes:
        process.start()
    (one, written), (other, also) = results.get(timeout=60), results.get(timeout=60)
    for process in processes:
        process.join()
    late = "repeated" if others[0] == others[1] else "contradicting"
    assert all({a, b} == {"accepted", late} for a, b in zip(one, other, strict=True))
    assert sorted(i for i, _ in written + also) == sorted(f"k:k{i}" for i in range(30))
