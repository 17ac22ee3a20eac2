"""The Store port: what both implementations promise, and what only real files can suffer."""

import pytest

from pipelines.errors import Corrupted, StorageFull
from pipelines.refs import Ref, sha256
from pipelines.store import LocalStore, MemoryStore
from tests.contracts.processes import finish, flip, small_disk, start


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path / "store") if request.param == "local" else MemoryStore()


class TestStore:
    def test_bytes_come_back_under_their_hash(self, store):
        ref = store.put(b"rows", ".parquet")
        assert ref.sha256 == sha256(b"rows")
        assert ref.uri.endswith(f"{ref.sha256}.parquet")
        assert store.get(ref) == b"rows"
        assert store.path(ref).read_bytes() == b"rows"

    def test_the_same_bytes_are_stored_once(self, store):
        assert store.put(b"rows") == store.put(b"rows")

    def test_a_missing_object_is_named(self, store):
        ref = Ref(uri="objects/ab/abcd", sha256=sha256(b"never stored"))
        with pytest.raises(Corrupted, match="objects/ab/abcd"):
            store.get(ref)
        with pytest.raises(Corrupted, match="objects/ab/abcd"):
            store.path(ref)

    def test_bytes_with_another_hash_are_refused(self, store):
        ref = store.put(b"rows")
        with pytest.raises(Corrupted, match="was changed"):
            store.get(Ref(uri=ref.uri, sha256=sha256(b"other rows")))

    def test_of_two_publishers_the_first_wins(self, store):
        assert store.publish("results/train/k", b"first")
        assert not store.publish("results/train/k", b"second")
        assert not store.publish("results/train/k", b"first")
        assert store.read("results/train/k") == b"first"

    def test_an_unknown_key_reads_as_none(self, store):
        assert store.read("results/train/k") is None

    def test_keys_lists_what_lies_directly_below(self, store):
        for key in ("releases/m/00000002", "releases/m/00000001", "releases/n/00000001", "releases/m/deeper/1"):
            store.publish(key, b"x")
        assert store.keys("releases/m") == ["releases/m/00000001", "releases/m/00000002"]
        assert store.keys("nothing/here") == []

    @pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/.", "a/.hidden", "a\\b", "a\x00b"])
    def test_a_key_cannot_leave_the_store(self, store, key):
        for call in (store.read, lambda k: store.publish(k, b"x"), store.keys):
            with pytest.raises(ValueError, match="is no key"):
                call(key)

    @pytest.mark.parametrize("uri", ["../up", "/etc/passwd", "objects/../../up", "a\\b", "a\x00b", ""])
    def test_a_reference_cannot_leave_the_store(self, uri):
        with pytest.raises(ValueError, match="uri"):
            Ref(uri=uri, sha256=sha256(b""))


class TestLocalStore:
    def test_a_flipped_byte_is_found_and_put_heals_it(self, tmp_path):
        store = LocalStore(tmp_path)
        ref = store.put(b"a" * 1000)
        flip(tmp_path / ref.uri, at=500)
        with pytest.raises(Corrupted, match=ref.uri):
            store.get(ref)
        assert store.put(b"a" * 1000) == ref
        assert store.get(ref) == b"a" * 1000

    def test_a_full_disk_is_named_and_leaves_nothing_behind(self, tmp_path):
        with small_disk(tmp_path / "disk", "256k") as disk:
            store = LocalStore(disk)
            kept = store.put(b"kept")
            with pytest.raises(StorageFull, match=str(disk)):
                store.put(b"x" * 1_000_000)
            with pytest.raises(StorageFull, match=str(disk)):
                store.publish("results/k", b"x" * 1_000_000)
            assert store.read("results/k") is None
            assert store.get(kept) == b"kept"
            assert not list(disk.rglob("*.tmp"))

    def test_of_many_processes_exactly_one_publishes(self, tmp_path):
        program = (
            "import sys, pathlib; from pipelines.store import LocalStore\n"
            "store = LocalStore(pathlib.Path(sys.argv[1]))\n"
            "print(sum(store.publish(f'results/{i}', sys.argv[2].encode()) for i in range(200)))"
        )
        won = [int(out) for out in finish(*(start(program, tmp_path, n) for n in range(4)))]
        assert sum(won) == 200
        assert len(LocalStore(tmp_path).keys("results")) == 200
