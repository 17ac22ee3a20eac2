"""Rotation: at any moment, whoever crashes or works beside it, each row is read exactly once."""

import pytest

from pipelines.errors import Busy, Corrupted
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.rotation import rotate
from pipelines.refs import Ref
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from tests.contracts.processes import flip, start
from tests.unit.inference_log.logs import (
    LABELS,
    MODEL,
    answered,
    damage,
    labelled,
    moment,
    place,
    predictions,
    write,
)
from tests.unit.inference_log.rotations import entries, fill, ids, nobody


def test_what_is_read_is_the_same_before_and_after(store):
    fill(store)
    write(
        store,
        "many",
        predictions(),
        answered("x", 5, rows=[(2.0, None), (None, "AA")], keys=["k", None], events=[7, 8]),
    )
    write(store, "l", LABELS, labelled("k:k", 1.0, 9), labelled("k:k", 0.0, 10))
    before, labels = read_log(store, MODEL), read_labels(store, MODEL)
    done = rotate(store, MODEL, catch_up=nobody)
    assert (done.entries, done.rows, done.segments) == (2, 7, 5)
    assert (
        store.segments(f"inference/{MODEL}/predictions")
        == store.segments(f"inference/{MODEL}/labels")
        == []
    )
    assert read_log(store, MODEL).rows.equals(before.rows)
    assert read_labels(store, MODEL).table.equals(labels.table)
    assert rotate(store, MODEL, catch_up=nobody).entries == 0


def test_one_object_per_header_and_day(store):
    fill(store, 2)
    fill(store, 2, version="2")
    write(store, "1", predictions(), answered("t", 2_000), day="2026-03-02")
    assert rotate(store, MODEL, catch_up=nobody).entries == 3
    assert [(e["day"], e["header"]["version"], e["rows"]) for e in entries(store)] == [
        ("2026-03-01", "1", 2),
        ("2026-03-01", "2", 2),
        ("2026-03-02", "1", 1),
    ]


def test_an_object_that_is_large_enough_takes_no_more(store):
    names = fill(store, 5)
    size = len(store.read_segment(names[0]))
    assert rotate(store, MODEL, catch_up=nobody, object_bytes=2 * size).entries == 3
    assert [len(e["segments"]) for e in entries(store)] == [2, 2, 1]
    assert read_log(store, MODEL).rows["request_id"].to_pylist() == ["10", "11", "12", "13", "14"]


def test_an_open_segment_is_never_rotated(store):
    names = fill(store, 1)
    held = store.open_segment(f"inference/{MODEL}/predictions/2026-03-01-open")
    held.append(store.read_segment(names[0]))
    rotate(store, MODEL, catch_up=nobody)
    assert entries(store)[0]["segments"] == names
    assert store.segments(f"inference/{MODEL}/predictions") == [held.name]
    assert ids(store) == ["10", "10"]


def test_torn_and_damaged_lines_stay_counted_and_the_damaged_bytes_are_kept(store):
    torn = write(store, "1", predictions(), answered("a"), tail=b"1234567")
    damaged = write(store, "2", predictions(), answered("b"), answered("c"))
    damage(store, damaged, place(store, damaged, 1) + 12)
    as_it_was = store.read_segment(damaged)
    before = read_log(store, MODEL)
    rotate(store, MODEL, catch_up=nobody)
    after = read_log(store, MODEL)
    assert (after.torn, after.damage, ids(store)) == (before.torn, before.damage, ["a", "c"])
    assert (after.torn, len(after.damage)) == (1, 1)
    [entry] = entries(store)
    assert entry["segments"] == [torn, damaged]
    assert [store.get(Ref(**ref)) for ref in entry["damaged"]] == [as_it_was]


def test_a_segment_without_a_readable_header_stays_and_stays_named(store):
    name = fill(store, 1)[0]
    damage(store, name, 20)
    damage(store, name, place(store, name, 0) + 20)
    empty = store.open_segment(f"{name}-empty")
    empty.close()
    assert rotate(store, MODEL, catch_up=nobody).entries == 0
    assert store.segments(f"inference/{MODEL}/predictions") == [name, empty.name]
    assert name in read_log(store, MODEL).damage[0]


def test_a_segment_with_a_damaged_header_is_rotated_by_its_copy(store):
    name = fill(store, 1)[0]
    damage(store, name, 20)
    before = read_log(store, MODEL)
    assert rotate(store, MODEL, catch_up=nobody).entries == 1
    after = read_log(store, MODEL)
    assert (after.damage, after.rows.num_rows) == (before.damage, 1)
    assert after.damage == [f"segment {name}, byte 0: the line there is damaged"]


def test_whoever_remembers_segments_sees_them_before_they_go(store):
    names = fill(store)
    seen = []
    rotate(
        store,
        MODEL,
        catch_up=lambda model: seen.append(
            (model, store.segments(f"inference/{model}/predictions"), entries(store))
        ),
    )
    assert seen == [(MODEL, names, [])]


def test_when_catching_up_fails_nothing_is_rotated(store):
    names = fill(store)

    def fails(_):
        raise Busy("The index is held.")

    with pytest.raises(Busy):
        rotate(store, MODEL, catch_up=fails)
    assert (store.segments(f"inference/{MODEL}/predictions"), entries(store)) == (names, [])


def test_entries_outside_the_span_are_not_opened():
    store = MemoryStore()
    fill(store)
    write(store, "2", predictions(version="2"), answered("late", 100))
    rotate(store, MODEL, catch_up=nobody)
    store.objects.pop(entries(store)[0]["data"]["uri"])
    log = read_log(store, MODEL, since=moment(3))
    assert (log.rows["request_id"].to_pylist(), log.damage) == (["late"], [])
    for since, until in ((moment(2), None), (None, moment(1)), (None, None)):
        assert "3 rows" in read_log(store, MODEL, since=since, until=until).damage[0]
    assert not read_log(store, MODEL, until=moment(0)).damage


def test_a_damaged_object_is_named_with_its_rows_and_the_rest_is_read(tmp_path):
    store = LocalStore(tmp_path)
    fill(store)
    rotate(store, MODEL, catch_up=nobody)
    fill(store, 1, version="2")
    flip(tmp_path / entries(store)[0]["data"]["uri"], at=30)
    log = read_log(store, MODEL)
    assert log.rows["request_id"].to_pylist() == ["20"]
    [said] = log.damage
    assert f"inference/{MODEL}/rotated/00000001, 3 rows" in said


def test_a_damaged_entry_is_named_and_stops_rotation(store):
    fill(store, 1)
    store.publish(f"inference/{MODEL}/rotated/00000001", b"{")
    assert read_log(store, MODEL).damage == [
        f"entry inference/{MODEL}/rotated/00000001: it is no entry of a rotated log"
    ]
    assert ids(store) == ["10"]
    with pytest.raises(Corrupted, match="00000001"):
        rotate(store, MODEL, catch_up=nobody)


def test_what_a_killed_process_answered_is_read_and_rotated(tmp_path):
    program = (
        "import sys, pathlib, time\nfrom pipelines.store.local import LocalStore\nfrom"
        " tests.unit.inference_log.logs import answered, predictions,"
        " write\nwrite(LocalStore(pathlib.Path(sys.argv[1])), '1', predictions(), answered('a'),"
        " answered('b'), tail=b'0123', close=False)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    store = LocalStore(tmp_path)
    writer = start(program, tmp_path)
    assert writer.stdout.readline() == "ready\n", writer.stderr.read()
    assert rotate(store, MODEL, catch_up=nobody).entries == 0
    assert (ids(store), read_log(store, MODEL).torn) == (["a", "b"], 0)
    writer.kill()
    writer.communicate(timeout=60)
    assert (ids(store), read_log(store, MODEL).torn) == (["a", "b"], 1)
    assert rotate(store, MODEL, catch_up=nobody).rows == 2
    assert (ids(store), read_log(store, MODEL).torn) == (["a", "b"], 1)
