"""A window's answers are found without reading an entry of each day that the log is old."""

from __future__ import annotations

import pytest

from pipelines.inference_log.reader import read_log
from pipelines.inference_log.rotated_index import RotatedIndex
from pipelines.inference_log.rotation import rotate
from pipelines.store.local import LocalStore
from tests.unit.inference_log.logs import MODEL, answered, ids, moment, predictions, write
from tests.unit.inference_log.rotations import nobody

DAY = 1_440
FOLDER = f"inference/{MODEL}/rotated"


class CountingStore(LocalStore):
    """A store that counts the entries that are read of it."""

    entries = 0

    def read(self, key):
        self.entries += 1
        return super().read(key)


@pytest.fixture
def store(tmp_path):
    return CountingStore(tmp_path / "store")


@pytest.fixture
def index(settings, store):
    return RotatedIndex(settings, store, MODEL)


def serve(store, days):
    """Log an answer of each day, and rotate it."""
    for day in days:
        write(store, f"{day:05d}", predictions(), answered(f"r{day}", DAY * day))
        rotate(store, MODEL, catch_up=nobody)


def read(store, index, first, last):
    """Return a window of so many days twice: by the index, and by all entries."""
    window = {"since": moment(DAY * first), "until": moment(DAY * last)}
    by_index = read_log(store, MODEL, **window, rotated=lambda: index.answers(*window.values()))
    everything = read_log(store, MODEL, **window)
    assert by_index.rows.equals(everything.rows)
    assert by_index.damage == everything.damage
    return by_index


def test_a_window_reads_its_own_entries_and_new_ones(store, index):
    serve(store, range(12))
    assert ids(read(store, index, 3, 5)) == ["r3", "r4"]
    store.entries = 0
    index.answers(moment(DAY * 3), moment(DAY * 5))
    newest, next_one = 1, 1  # whether the log is still the same one, and has grown
    assert store.entries == 2 + newest + next_one
    serve(store, [12])
    assert ids(read(store, index, 11, 20)) == ["r11", "r12"]


def test_an_answer_that_is_not_rotated_yet_is_there_once(store, index):
    serve(store, [0, 1])
    write(store, "open", predictions(), answered("now", DAY + 1), close=False)
    kept = write(store, "closed", predictions(), answered("closed", DAY + 2))
    assert ids(read(store, index, 1, 2)) == ["r1", "closed", "now"]
    data = store.read_segment(kept)
    rotate(store, MODEL, catch_up=nobody)
    segment = store.open_segment(kept)  # as after a kill between the entry and the removal
    segment.append(data)
    segment.close()
    assert sorted(ids(read(store, index, 1, 2))) == ["closed", "now", "r1"]


def test_an_entry_that_cannot_be_read_is_named_each_time(store, index):
    serve(store, [0])
    store.publish(f"{FOLDER}/00000002", b"no entry")
    for _ in range(2):
        assert "00000002: it is no entry" in read(store, index, 0, 9).damage[0]


def test_an_index_of_the_version_before_is_made_anew(store, index):
    serve(store, [0, 1])
    read(store, index, 0, 2)
    with index.file.hold() as db:
        db.execute("ALTER TABLE entries DROP COLUMN until")
        db.execute("PRAGMA user_version = 1")
    assert ids(read(store, index, 1, 2)) == ["r1"]
