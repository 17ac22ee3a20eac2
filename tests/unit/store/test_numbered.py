import threading

import pytest

from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from pipelines.store.numbered import newest_numbered, publish_next
from tests.contracts.processes import flip


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path) if request.param == "local" else MemoryStore()


@pytest.mark.parametrize("stem", ["batches/m/day/", "watch/m/2024-01-01T00:00:00Z~"])
def test_what_differs_gets_the_next_number_and_the_same_again_does_not(store, stem):
    assert newest_numbered(store, stem) is None
    entries = [publish_next(store, stem, data) for data in (b"a", b"b", b"b", b"a")]
    assert [(n.number, n.is_new) for n in entries] == [(1, True), (2, True), (2, False), (3, True)]
    assert newest_numbered(store, stem) == (f"{stem}000003", 3, False)
    assert store.read(f"{stem}000003") == b"a"


def test_stems_of_one_folder_count_apart(store):
    for stem in ("watch/m/first~", "watch/m/second~"):
        assert publish_next(store, stem, b"x").number == 1


def test_of_many_writers_none_is_lost(store):
    writers = [
        threading.Thread(target=publish_next, args=(store, "pages/", f"{n}".encode()))
        for n in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    keys = store.keys("pages")
    assert keys == [f"pages/{n:06d}" for n in range(1, 9)]
    assert {store.read(key) for key in keys} == {f"{n}".encode() for n in range(8)}


def test_after_a_damaged_one_comes_the_next(tmp_path):
    store = LocalStore(tmp_path)
    publish_next(store, "pages/", b"{}")
    flip(tmp_path / "keys" / "pages" / "000001")
    assert publish_next(store, "pages/", b"{}") == ("pages/000002", 2, True)


def test_a_listing_that_comes_late_loses_nothing():
    """Some buckets tell of a new entry only after a while."""

    class Late(MemoryStore):
        def keys(self, _):
            return []

    store = Late()
    assert [publish_next(store, "pages/", data).number for data in (b"a", b"b", b"b")] == [1, 2, 2]
    assert [store.read(f"pages/{n:06d}") for n in (1, 2, 3)] == [b"a", b"b", None]
