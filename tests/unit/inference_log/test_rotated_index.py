"""The labels of some rows, found in a long log: the same as by reading all of it, and soon."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.errors import Corrupted
from pipelines.inference_log.reader import first_labels, read_labels
from pipelines.inference_log.rotated_entries import Rotated, entries_of, from_parquet, to_parquet
from pipelines.inference_log.rotated_index import RotatedIndex
from pipelines.inference_log.rotation import rotate
from pipelines.inference_log.window_labels import read_labels_of
from pipelines.refs import canonical
from pipelines.store.local import LocalStore
from tests.unit.inference_log.logs import LABELS, MODEL, damage, labelled, write
from tests.unit.inference_log.rotations import nobody

FOLDER = f"inference/{MODEL}/rotated-labels"


class CountingStore(LocalStore):
    """A store that counts what is read of it: objects, and entries."""

    objects = entries = 0

    def get(self, ref):
        self.objects += 1
        return super().get(ref)

    def read(self, key):
        self.entries += 1
        return super().read(key)


@pytest.fixture
def rotated(settings, store):
    return RotatedIndex(settings, store, MODEL)


def tell(store, name, *labels, **more):
    """Write a segment of labels, each (identity, label, minute)."""
    return write(store, name, LABELS, *(labelled(*label) for label in labels), **more)


def tell_days(store, days):
    """Rotate a day's labels after the other: two rows of the day, and one of ten days before."""
    for day in range(days):
        at = 1_440 * day
        late = (f"k:late{day - 10}", 1.0, at)
        rows = [(f"k:{day}a", 0.0, at), (f"k:{day}b", 1.0, at)]
        tell(store, f"{day:05d}", *rows, late)
        before = {"labels": Rotated(day, frozenset()), "predictions": Rotated(0, frozenset())}
        rotate(store, MODEL, catch_up=nobody, read_rotated=before.get)


def found(store, index, *identities):
    """Return identity to label of those rows, as of now."""
    table = read_labels_of(store, MODEL, pa.array(identities, pa.string()), index).table
    return dict(zip(table["identity"].to_pylist(), table["label"].to_pylist(), strict=True))


def all_of(store, *identities):
    """Return the same by reading the whole log."""
    table = read_labels(store, MODEL).table
    told = dict(zip(table["identity"].to_pylist(), table["label"].to_pylist(), strict=True))
    return {name: told[name] for name in identities if name in told}


def test_labels_are_found_wherever_they_are_and_each_counts_once(store, rotated):
    tell(store, "a", ("k:1", 1.0, 5), ("k:2", 0.0, 5), ("k:1", 0.0, 6))
    rotate(store, MODEL, catch_up=nobody)
    tell(store, "b", ("k:2", 1.0, 7), ("k:3", 1.0, 7))
    tell(store, "c", ("k:4", 0.0, 8), ("k:1", 0.0, 8), close=False)
    names = ("k:1", "k:2", "k:3", "k:4", "k:5")
    expected = {"k:1": 1.0, "k:2": 0.0, "k:3": 1.0, "k:4": 0.0}
    assert found(store, rotated, *names) == expected == all_of(store, *names)
    assert found(store, rotated, "k:3") == {"k:3": 1.0}
    assert found(store, rotated, "k:9") == found(store, rotated) == {}


def test_of_a_thousand_objects_none_is_read_again_and_late_labels_are_found(settings, tmp_path):
    store = CountingStore(tmp_path / "store")
    tell_days(store, 1_000)
    rotated = RotatedIndex(settings, store, MODEL)
    asked = ("k:999a", "k:999b", "k:late985", "k:late989", "k:late0", "k:0a", "k:none")
    assert found(store, rotated, *asked) == all_of(store, *asked)
    assert len(all_of(store, *asked)) == 6
    rotated = RotatedIndex(settings, store, MODEL)  # the second look on this host
    assert found(store, rotated, *asked) == all_of(store, *asked)
    store.objects = store.entries = 0
    assert len(found(store, rotated, *asked)) == 6
    # the newest: is it still the same? The next: is it there, though no listing has it?
    assert (store.objects, store.entries) == (0, 2)
    tell(store, "later", ("k:late995", 1.0, 2_000_000))  # told years afterwards
    store.objects = store.entries = 0
    done = rotate(store, MODEL, catch_up=nobody, read_rotated=rotated.read_rotated)
    assert (done.entries, store.objects, store.entries) == (1, 0, 2)
    assert found(store, rotated, "k:late995") == {"k:late995": 1.0}
    assert store.objects == 1


def test_a_look_in_a_pod_puts_no_label_in(settings, tmp_path):
    store = CountingStore(tmp_path / "store")
    tell_days(store, 30)
    for _ in range(3):
        index = RotatedIndex(settings, store, MODEL)
        index.path.unlink(missing_ok=True)
        store.objects = 0
        assert found(store, index, "k:3a", "k:late5") == {"k:3a": 0.0, "k:late5": 1.0}
        assert store.objects == 30
        with closing(sqlite3.connect(index.path)) as db:
            assert db.execute("SELECT count(*) FROM labels").fetchone() == (0,)


def test_an_earlier_label_that_is_read_later_counts(store, rotated):
    tell(store, "a", ("k:1", 1.0, 50))
    rotate(store, MODEL, catch_up=nobody)
    assert found(store, rotated, "k:1") == {"k:1": 1.0}
    tell(store, "b", ("k:1", 0.0, 20))  # another host's, whose segment came later
    assert found(store, rotated, "k:1") == {"k:1": 0.0}
    rotate(store, MODEL, catch_up=nobody, read_rotated=rotated.read_rotated)
    assert found(store, rotated, "k:1") == {"k:1": 0.0} == all_of(store, "k:1")


class FarStore(LocalStore):
    """A store that is asked for several things at once."""

    is_far = True


@pytest.mark.parametrize("looks", ["of a pod", "of a far pod", "of a host", "in turn"])
@pytest.mark.parametrize("seed", range(8))
def test_any_log_is_read_as_by_reading_all_of_it(settings, tmp_path, seed, looks):
    """A pod has no file of an earlier look; two looks in turn are each other's file."""
    store = (FarStore if "far" in looks else LocalStore)(tmp_path / "store")
    rotated, other = (RotatedIndex(settings, store, MODEL) for _ in range(2))
    rng = random.Random(seed)
    names = [f"k:{number}" for number in range(12)]
    kinds = [0.0, 1.0, float("nan")] if seed % 2 else ["red", "green", 3.0]
    for part in range(12):
        labels = [
            (rng.choice(names), rng.choice(kinds), rng.randrange(6))
            for _ in range(rng.randrange(5))
        ]
        tell(store, f"{part:02d}", *labels, close=rng.random() < 0.8)
        if rng.random() < 0.4:
            rotate(store, MODEL, catch_up=nobody, read_rotated=rotated.read_rotated)
        asked = rng.sample(names, rng.randrange(1, 12))
        if "pod" in looks:
            rotated.path.unlink(missing_ok=True)
            rotated = RotatedIndex(settings, store, MODEL)
        elif looks == "in turn":
            rotated, other = other, rotated
        mine = read_labels_of(store, MODEL, pa.array(asked), rotated).table
        whole = read_labels(store, MODEL).table
        expected = whole.filter(pc.is_in(whole["identity"], pa.array(asked)))
        assert rows_of(mine) == rows_of(expected)


def rows_of(table):
    """Return what a label says by row, numbers as text: a window need not hold all kinds."""
    columns = (table[name].to_pylist() for name in ("identity", "label", "at"))
    return {
        i: (f"{float(v):g}" if not isinstance(v, str) else v, at)
        for i, v, at in zip(*columns, strict=True)
    }


def spoil_nothing(path):
    path.unlink()


def spoil_bytes(path):
    path.write_bytes(b"no database" * 500)


def spoil_version(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def spoil_empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [spoil_nothing, spoil_bytes, spoil_version, spoil_empty])
def test_a_lost_or_damaged_index_is_made_anew(store, rotated, spoil):
    tell(store, "a", ("k:1", 1.0, 5))
    rotate(store, MODEL, catch_up=nobody)
    assert found(store, rotated, "k:1") == {"k:1": 1.0}
    spoil(rotated.path)
    assert found(store, rotated, "k:1") == {"k:1": 1.0}
    assert rotated.read_rotated("labels").entries == 1


def test_an_index_of_another_past_is_made_anew(settings, rotated, store, tmp_path):
    """The store was restored, and other labels came since."""
    for name in ("a", "b"):
        tell(store, name, (f"k:{name}", 1.0, 5))
        rotate(store, MODEL, catch_up=nobody)
    assert found(store, rotated, "k:a", "k:b") == {"k:a": 1.0, "k:b": 1.0}
    other = LocalStore(tmp_path / "other")
    for name in ("a", "c"):
        tell(other, name, (f"k:{name}", 0.0, 5))
        rotate(other, MODEL, catch_up=nobody)
    after = RotatedIndex(settings, other, MODEL)
    assert found(other, after, "k:a", "k:b", "k:c") == {"k:a": 0.0, "k:c": 0.0}


def test_what_cannot_be_read_is_said_as_the_reader_says_it_and_tried_again(local_store, settings):
    store, index = local_store, RotatedIndex(settings, local_store, MODEL)
    damage(store, tell(store, "a", ("k:1", 1.0, 5), ("k:2", 1.0, 5)), 30)
    rotate(store, MODEL, catch_up=nobody)
    tell(store, "b", ("k:3", 1.0, 6), tail=b"half a line")
    rotate(store, MODEL, catch_up=nobody)
    tell(store, "c", ("k:4", 1.0, 7), tail=b"half a line")
    expected = read_labels(store, MODEL)
    mine = read_labels_of(store, MODEL, pa.array(["k:1", "k:3"]), index)
    assert (mine.torn, mine.damage) == (expected.torn, expected.damage)
    assert expected.torn == 2
    assert expected.damage
    key = store.keys(FOLDER)[1]
    path = store.root / "keys" / key
    whole = path.read_bytes()
    index.path.unlink()
    path.write_bytes(whole[:-5])
    mine = read_labels_of(store, MODEL, pa.array(["k:3"]), index)
    assert f"entry {key}: it is no entry of a rotated log" in mine.damage
    with pytest.raises(Corrupted, match="cannot be read"):
        index.read_rotated("labels")
    path.write_bytes(whole)
    assert found(store, index, "k:3") == {"k:3": 1.0}


def test_labels_of_a_damaged_object_come_when_it_was_restored(local_store, settings):
    store, index = local_store, RotatedIndex(settings, local_store, MODEL)
    tell(store, "a", ("k:1", 1.0, 5))
    rotate(store, MODEL, catch_up=nobody)
    (path,) = (store.root / "objects").rglob("*.parquet")
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(whole[:-1])
    mine = read_labels_of(store, MODEL, pa.array(["k:1"]), index)
    assert (mine.table.num_rows, mine.damage) == (0, read_labels(store, MODEL).damage)
    assert index.read_rotated("labels").entries == 1
    path.write_bytes(whole)
    assert found(store, index, "k:1") == {"k:1": 1.0}


@pytest.mark.parametrize("look", ["the first", "a later"])
def test_an_entry_that_was_rewritten_elsewhere_is_read_again(local_store, settings, look):
    """An erasure on another host wrote it with fewer labels; this host knows the former one."""
    store, index = local_store, RotatedIndex(settings, local_store, MODEL)
    for name in ("a", "b", "c"):
        tell(store, name, (f"k:{name}", 1.0, 5), (f"k:{name}2", 0.0, 5))
        rotate(store, MODEL, catch_up=nobody)
    index.read_rotated("labels")
    if look == "a later":
        found(store, index)
        index = RotatedIndex(settings, store, MODEL)
    key, entry = list(entries_of(store, MODEL, "labels").entries.items())[1]
    kept = from_parquet(store.get(entry.data)).slice(1)
    (store.root / entry.data.uri.removeprefix("store://")).unlink()
    update = {"data": store.put(to_parquet(kept), ".parquet"), "rows": 1}
    (store.root / "keys" / key).chmod(0o600)
    (store.root / "keys" / key).write_bytes(canonical(entry.model_copy(update=update)))
    asked = ("k:a", "k:b", "k:b2", "k:c")
    mine = read_labels_of(store, MODEL, pa.array(asked), index)
    assert mine.damage == read_labels(store, MODEL).damage == []
    expected = {"k:a": 1.0, "k:b2": 0.0, "k:c": 1.0}
    assert found(store, index, *asked) == expected == all_of(store, *asked)


def test_both_looks_find_numbers_as_numbers_and_rows_of_any_name(store, settings):
    tell(store, "a", ("k:1", 1.0, 5), ("k:2\0b", 2.5, 5), ("k:2", 0.0, 5))
    rotate(store, MODEL, catch_up=nobody)
    tell(store, "b", ("k:1", "red", 6), ("k:3", "red", 6))  # later than the label that counts
    rotate(store, MODEL, catch_up=nobody)
    for _ in ("the first look", "the second one"):
        index = RotatedIndex(settings, store, MODEL)
        table = index.labels(pa.array(["k:1", "k:2\0b"])).table.sort_by("identity")
        assert table["label"].to_pylist() == [1.0, 2.5]


def test_the_file_is_its_owners_only(store, rotated):
    rotated.read_rotated("labels")
    assert rotated.path.stat().st_mode & 0o777 == 0o600


def test_first_labels_of_an_index_are_in_no_order_that_matters(store, rotated):
    tell(store, "a", *((f"k:{n}", float(n % 2), n) for n in range(50)))
    rotate(store, MODEL, catch_up=nobody)
    table = read_labels_of(store, MODEL, pa.array([f"k:{n}" for n in range(50)]), rotated).table
    assert first_labels(table).num_rows == table.num_rows == 50
