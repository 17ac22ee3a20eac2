"""Rotators and readers that crash, or are overtaken: each row is still read exactly once."""

import pytest

from pipelines.errors import Busy
from pipelines.inference_log.reader import read_log
from pipelines.inference_log.rotated_index import RotatedIndex
from pipelines.inference_log.rotation import rotate
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from tests.contracts.processes import finish, start
from tests.late_listings import LateListings
from tests.unit.inference_log.logs import MODEL, answered, predictions, write
from tests.unit.inference_log.rotations import entries, fill, ids, nobody


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


def test_entries_that_a_listing_has_not_yet_are_read_and_followed(settings):
    """Their segments are gone: who believed the listing would miss rows, or rotate for ever."""
    store = LateListings()
    remembered = RotatedIndex(settings, store, MODEL)
    fill(store, 2)
    rotate(store, MODEL, catch_up=nobody, read_rotated=remembered.read_rotated)
    store.stop()
    for version in ("2", "3"):
        fill(store, 1, version=version)
        done = rotate(store, MODEL, catch_up=nobody, read_rotated=remembered.read_rotated)
        assert (done.entries, done.rows) == (1, 1)
    assert len(entries(store)) == 1
    assert ids(store) == ["10", "11", "20", "30"]
    store.go_on()
    assert len(entries(store)) == 3
    assert ids(store) == ["10", "11", "20", "30"]
