"""Rotation: at any moment, whoever crashes or works beside it, each row is read exactly once."""

import json

import pytest

from pipelines.errors import Busy, Corrupted
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.rotation import rotate
from pipelines.refs import Ref
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from tests.contracts.processes import finish, flip, start
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


def nobody(model):
    assert model == MODEL


def entries(store, folder="rotated"):
    return [json.loads(store.read(key)) for key in store.keys(f"inference/{MODEL}/{folder}")]


def fill(store, segments=3, version="1"):
    return [
        write(store, f"{version}{n}", predictions(version=version), answered(f"{version}{n}", n))
        for n in range(segments)
    ]


def ids(store):
    return sorted(read_log(store, MODEL).rows["request_id"].to_pylist())


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


class Crash(BaseException):
    """The process ends here."""


class CrashesBeforeDropping(LocalStore):
    """A store whose process dies when the first segment is to be dropped."""

    def remove(self, kind, name, *, unused_since=None):
        raise Crash(kind, name, unused_since)


def test_a_crash_between_entry_and_dropping_leaves_each_row_once(tmp_path):
    names = fill(LocalStore(tmp_path))
    with pytest.raises(Crash):
        rotate(CrashesBeforeDropping(tmp_path), MODEL, catch_up=nobody)
    store = LocalStore(tmp_path)
    assert (store.segments(f"inference/{MODEL}/predictions"), len(entries(store))) == (names, 1)
    assert ids(store) == ["10", "11", "12"]
    assert rotate(store, MODEL, catch_up=nobody).entries == 0
    assert store.segments(f"inference/{MODEL}/predictions") == []
    assert ids(store) == ["10", "11", "12"]


class CrashesBeforePublishing(LocalStore):
    """A store whose process dies when an entry is to be written."""

    def publish(self, key, data):
        raise Crash(key, data)


def test_a_crash_before_the_entry_changes_nothing(tmp_path):
    fill(LocalStore(tmp_path))
    with pytest.raises(Crash):
        rotate(CrashesBeforePublishing(tmp_path), MODEL, catch_up=nobody)
    assert ids(LocalStore(tmp_path)) == ["10", "11", "12"]
    assert rotate(LocalStore(tmp_path), MODEL, catch_up=nobody).rows == 3


def test_a_rotator_that_was_overtaken_begins_again(store):
    fill(store, 2)
    fill(store, 2, version="2")
    overtaken = []

    def another_one_first(_):
        if not overtaken:
            overtaken.append(rotate(store, MODEL, catch_up=nobody))

    assert rotate(store, MODEL, catch_up=another_one_first).entries == 0
    assert overtaken[0].entries == 2
    assert ids(store) == ["10", "11", "20", "21"]


def test_of_a_segment_that_grew_between_two_rotators_nothing_is_lost(store):
    fill(store, 1)
    late = []

    def another_one_first(_):
        if not late:
            late.append(rotate(store, MODEL, catch_up=nobody))
            write(store, "late", predictions(), answered("late"))

    assert rotate(store, MODEL, catch_up=another_one_first).rows == 1
    assert ids(store) == ["10", "late"]


def test_many_rotators_and_readers_at_once_count_each_row_once(tmp_path):
    store = LocalStore(tmp_path)
    for version in "12345":
        fill(store, 8, version=version)
    program = (
        "import sys, pathlib\nfrom pipelines.inference_log.reader import read_log\nfrom"
        " pipelines.inference_log.rotation import rotate\nfrom pipelines.store.local import"
        " LocalStore\nstore = LocalStore(pathlib.Path(sys.argv[1]))\nseen = set()\ndef"
        " look(model):\n    log = read_log(store, model)\n    seen.add((log.rows.num_rows,"
        " len(set(log.rows['request_id'].to_pylist())), log.torn, len(log.damage)))\ndone ="
        " rotate(store, 'm', catch_up=look)\nlook('m')\nassert seen == {(40, 40, 0, 0)},"
        " seen\nprint(done.rows)"
    )
    assert sum(int(out) for out in finish(*(start(program, tmp_path) for _ in range(3)))) == 40
    assert len(ids(store)) == 40
    assert store.segments(f"inference/{MODEL}/predictions") == []


class RotatedMeanwhile(MemoryStore):
    """A store in which another process rotates just before a segment is read."""

    times = 1

    def read_segment(self, name, offset=0):
        if self.times:
            self.times -= 1
            rotate(self, MODEL, catch_up=nobody)
        return super().read_segment(name, offset)


def test_a_reader_that_was_overtaken_begins_again():
    store = RotatedMeanwhile()
    fill(store)
    assert ids(store) == ["10", "11", "12"]
    assert len(entries(store)) == 1


class NeverThere(MemoryStore):
    """A store whose segments are listed and gone."""

    def read_segment(self, name, offset=0):
        return super().read_segment(f"{name}-gone", offset)


def test_a_reader_that_is_overtaken_for_ever_says_so():
    store = NeverThere()
    fill(store)
    with pytest.raises(Busy, match=f"log of {MODEL}"):
        read_log(store, MODEL)


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
