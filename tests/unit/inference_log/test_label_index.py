"""The index of feedback.

Made from the log alone, right after any loss, and one label per row whoever brings it.
"""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing

import pytest

from pipelines.errors import Busy, StorageFull
from pipelines.inference_log.format import AnswerRecord, line
from pipelines.inference_log.label_index import Index, NewLabel
from pipelines.inference_log.label_index_update import IndexUpdate
from pipelines.settings import Settings
from pipelines.store.local import LocalStore
from tests.unit.inference_log.label_log import MODEL, PREDICTIONS, Labels, predict


def test_labels_come_by_request_row_or_key(index, local_store, labels):
    predict(local_store, "a", ("r1", [None, None]), ("r2", ["k2"]))
    told = [
        NewLabel(1.0, request_id="r1"),
        NewLabel(0.0, request_id="r1", row=1),
        NewLabel(1.0, key="k2"),
    ]
    assert index.accept(MODEL, told, labels) == ["accepted"] * 3
    assert labels.written == [("r:r1#0", 1.0), ("r:r1#1", 0.0), ("k:k2", 1.0)]


def test_a_row_with_a_key_is_one_event_by_whichever_name(index, local_store, labels):
    predict(local_store, "a", ("r1", ["k"]), ("r2", ["k"]))
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r2")], labels) == ["accepted"]
    assert labels.written == [("k:k", 1.0)]
    again = [NewLabel(1.0, key="k"), NewLabel(0.0, request_id="r1"), NewLabel(1.0, request_id="r1")]
    assert index.accept(MODEL, again, labels) == ["repeated", "contradicting", "repeated"]
    assert labels.written == [("k:k", 1.0)]


def test_what_was_not_predicted_is_unknown(index, local_store, labels):
    predict(local_store, "a", ("r1", ["k"]))
    unknown = [
        NewLabel(1.0, request_id="r9"),
        NewLabel(1.0, request_id="r1", row=1),
        NewLabel(1.0, key="r1"),
        NewLabel(1.0, key=""),
    ]
    assert index.accept(MODEL, unknown, labels) == ["unknown"] * 4
    assert index.accept("minutes", [NewLabel(1.0, key="k")], labels) == ["unknown"]
    assert labels.written == []


def test_several_labels_of_one_row_in_one_request(index, local_store, labels):
    predict(local_store, "a", ("r1", ["k"]))
    told = [
        NewLabel("late", key="k"),
        NewLabel("late", request_id="r1"),
        NewLabel("early", key="k"),
    ]
    assert index.accept(MODEL, told, labels) == ["accepted", "repeated", "contradicting"]
    assert labels.written == [("k:k", "late")]


def test_rows_that_were_logged_since_are_known(index, local_store, labels):
    segment = predict(local_store, "a", ("r1", [None]), closed=False)
    assert index.accept(
        MODEL, [NewLabel(1.0, request_id="r1"), NewLabel(1.0, request_id="r2")], labels
    ) == ["accepted", "unknown"]
    segment.append(line(AnswerRecord("r2", 1_000, 0.001, [[1.0]], [0.5])))
    predict(local_store, "b", ("r3", [None]))
    assert (
        index.accept(
            MODEL, [NewLabel(1.0, request_id="r2"), NewLabel(1.0, request_id="r3")], labels
        )
        == ["accepted"] * 2
    )


def test_half_a_line_is_read_when_it_is_whole(index, local_store, labels):
    whole = line(AnswerRecord("r2", 1_000, 0.001, [[1.0]], [0.5]))
    segment = predict(local_store, "a", ("r1", [None]), tail=whole[:20], closed=False)
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r2")], labels) == ["unknown"]
    segment.append(whole[20:])
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r2")], labels) == ["accepted"]


def test_damaged_lines_and_segments_cost_only_themselves(index, local_store, labels):
    damaged = bytearray(line(AnswerRecord("r2", 1_000, 0.001, [[1.0]], [0.5])))
    damaged[30] ^= 1
    good = line(AnswerRecord("r3", 1_000, 0.001, [[1.0]], [0.5]))
    predict(local_store, "a", ("r1", [None]), tail=bytes(damaged) + good + b"torn")
    headless = local_store.open_segment(f"inference/{MODEL}/predictions/2026-11-21-b")
    headless.append(b"no header\n" + good.replace(b"r3", b"r4"))
    told = [NewLabel(1.0, request_id=f"r{i}") for i in (1, 2, 3, 4)]
    assert index.accept(MODEL, told, labels) == ["accepted", "unknown", "accepted", "unknown"]


def test_a_damaged_header_costs_no_row(index, local_store, labels):
    segment = local_store.open_segment(f"inference/{MODEL}/predictions/2026-11-21-a")
    segment.append(b"x" + line(PREDICTIONS)[1:])
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels) == ["unknown"]
    segment.append(line(PREDICTIONS) + line(AnswerRecord("r1", 1_000, 0.001, [[1.0]], [0.5])))
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels) == ["accepted"]


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize("keys", [("k1", "k2"), (None, "k2"), ("k1", None)])
def test_a_request_id_of_several_keys_names_no_row(index, local_store, labels, keys, rebuilt):
    predict(local_store, "a", ("r", [keys[0], "same"]), ("s", [None]))
    index.catch_up(MODEL)
    predict(local_store, "b", ("r", [keys[1], "same"]), ("s", [None]))
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


def test_a_label_that_could_not_be_written_was_not_accepted(index, local_store, labels):
    predict(local_store, "a", ("r1", [None]))

    def full(_):
        raise StorageFull("no room")

    with pytest.raises(StorageFull):
        index.accept(MODEL, [NewLabel(1.0, request_id="r1")], full)
    assert index.accept(MODEL, [NewLabel(0.0, request_id="r1")], labels) == ["accepted"]


def test_a_label_on_the_disk_counts_though_its_writer_died_before_the_index_knew(
    index, local_store, labels
):
    predict(local_store, "a", ("r1", [None]))
    labels([("r:r1#0", 1.0)])
    assert index.accept(MODEL, [NewLabel(1.0, request_id="r1")], labels) == ["repeated"]
    assert index.accept(MODEL, [NewLabel(0.0, request_id="r1")], labels) == ["contradicting"]


def test_the_index_file_is_for_its_owner_only(index):
    index.catch_up(MODEL)
    assert index.path.stat().st_mode & 0o777 == 0o600


def test_a_lock_that_is_held_too_long_is_said(local_store, tmp_path):
    index = Index(Settings(state=tmp_path, lock_timeout_seconds=0.05), local_store)
    with index.file.hold(), pytest.raises(Busy, match="not free"):
        index.catch_up(MODEL)


def bring(root, state, name, label, start, results):
    local_store = LocalStore(root)
    index = Index(Settings(state=state), local_store)
    written = Labels(local_store, name)
    start.wait()
    found = [index.accept(MODEL, [NewLabel(label, key=f"k{i}")], written)[0] for i in range(30)]
    results.put((found, written.written))


@pytest.mark.slow
@pytest.mark.parametrize("others", [[1.0, 1.0], [1.0, 0.0]], ids=["the same", "another"])
def test_of_two_processes_that_bring_a_label_at_once_one_writes_it(local_store, tmp_path, others):
    predict(local_store, "a", *((f"r{i}", [f"k{i}"]) for i in range(30)))
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(
            target=bring, args=(local_store.root, tmp_path, f"{n}-labels", label, start, results)
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


def test_how_far_sources_were_read_is_asked_once_however_many_there_are(index, local_store, labels):
    for name in "abc":
        predict(local_store, name, (f"r{name}", ["k"]))
    index.catch_up(MODEL)
    asked: list[str] = []
    with closing(sqlite3.connect(index.path)) as db:
        db.set_trace_callback(asked.append)
        IndexUpdate(db, local_store, MODEL).run()
    assert [text.split()[0] for text in asked if "FROM sources" in text] == ["SELECT"]
