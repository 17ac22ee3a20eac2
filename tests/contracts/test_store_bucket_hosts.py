"""The store in a bucket: several hosts, somebody who changes things, and the read cache."""

import pytest

from pipelines.errors import Corrupted
from pipelines.refs import canonical
from pipelines.store.bucket.client import Client
from pipelines.store.reading import read_each
from tests.buckets import bucket_store
from tests.contracts.writers import count_won
from tests.services import on_every_service

pytestmark = on_every_service


class TestTwoHosts:
    def test_of_three_hosts_exactly_one_publishes_and_the_other_reads_its_entry(
        self, endpoint, address, tmp_path
    ):
        assert count_won(endpoint.environment(address), tmp_path) == 20

    def test_what_one_host_writes_the_other_sees(self, address, tmp_path):
        one, two = (bucket_store(address, tmp_path / name) for name in ("one", "two"))
        ref = one.put(canonical({"a": 1}), ".json")
        assert two.get(ref) == two.path(ref).read_bytes() == one.get(ref)
        assert one.publish("results/k", b"{}")
        assert not two.publish("results/k", b"[]")
        assert two.read("results/k") == b"{}"
        assert two.remove("objects", ref.uri)
        with pytest.raises(Corrupted, match=ref.uri):
            one.get(ref)

    def test_a_segment_is_its_host_s_own_until_it_is_closed_and_sent(self, address, tmp_path):
        one, two = (bucket_store(address, tmp_path / name) for name in ("one", "two"))
        segment = one.open_segment("log/m/a")
        segment.append(b"line\n")
        assert not one.send_segment("log/m/a")
        assert (one.segments("log/m"), two.segments("log/m")) == (["log/m/a"], [])
        segment.close()
        assert one.send_segment("log/m/a")
        assert not one.send_segment("log/m/a")
        for store in (one, two):
            assert store.near_segments() == []
            assert store.segments("log/m") == ["log/m/a"]
            assert store.read_segment("log/m/a", 2) == b"ne\n"
            assert [item.name for item in store.contents("segments", "log")] == ["log/m/a"]
            assert not store.is_open("log/m/a")
        assert two.remove("segments", "log/m/a")
        assert (one.segments("log/m"), one.read_segment("log/m/a")) == ([], None)


class TestManyAtOnce:
    def test_objects_and_entries_come_in_their_order_whatever_the_cache_holds(
        self, address, tmp_path, in_bucket
    ):
        refs = [in_bucket.put(bytes([n]) * 50_000) for n in range(40)]
        keys = [f"results/{n}" for n in range(40)]
        assert all(in_bucket.publish(key, key.encode()) for key in keys)
        elsewhere = bucket_store(address, tmp_path / "elsewhere")
        for store in (in_bucket, elsewhere, elsewhere):
            assert [d[0] for d in read_each(store, store.get, refs, at_once=8)] == list(range(40))
            assert list(read_each(store, store.read, keys)) == [key.encode() for key in keys]

    def test_one_that_is_away_is_named_in_its_turn(self, in_bucket):
        refs = [in_bucket.put(bytes([n]) * 100) for n in range(12)]
        in_bucket.remove("objects", refs[7].uri)
        found = read_each(in_bucket, in_bucket.get, refs, at_once=4)
        assert [next(found)[0] for _ in range(7)] == list(range(7))
        with pytest.raises(Corrupted, match=refs[7].uri):
            next(found)


class TestBehindOurBack:
    @pytest.fixture
    def tamper(self, address):
        return Client(address).put

    def test_a_changed_object_is_refused_though_the_cache_has_it_and_put_heals_it(
        self, in_bucket, tamper
    ):
        ref = in_bucket.put(b"rows")
        assert in_bucket.get(ref) == b"rows"
        tamper(ref.uri, b"rowz")
        for _ in range(2):
            with pytest.raises(Corrupted, match=f"{ref.uri} was changed"):
                in_bucket.get(ref)
        assert in_bucket.put(b"rows") == ref
        assert in_bucket.get(ref) == b"rows"

    def test_a_changed_entry_is_refused_and_healed_by_the_next_writer(self, in_bucket, tamper):
        assert in_bucket.publish("results/k", b"first")
        tamper("keys/results/k", b"perennial-entry 1 ?")
        with pytest.raises(Corrupted, match="results/k was changed"):
            in_bucket.read("results/k")
        assert in_bucket.publish("results/k", b"second")
        assert not in_bucket.publish("results/k", b"third")
        assert in_bucket.read("results/k") == b"second"


class TestTheCache:
    def test_bytes_that_are_cached_are_not_sent_again(self, far, network):
        ref = far.put(b"rows" * 100)
        far.get(ref)
        before = network.answers["GET", 200]
        assert far.get(ref) == b"rows" * 100
        assert far.path(ref).read_bytes() == b"rows" * 100
        assert network.answers["GET", 200] == before
        assert network.answers["GET", 304] >= 2

    def test_a_damaged_file_of_the_cache_is_not_believed(self, in_bucket):
        ref = in_bucket.put(b"rows")
        in_bucket.get(ref)
        (in_bucket.folder / "cache" / ref.uri).write_bytes(b"rowz")
        assert in_bucket.get(ref) == b"rows"
        assert in_bucket.path(ref).read_bytes() == b"rows"

    def test_it_stays_below_its_bound(self, in_bucket):
        refs = [in_bucket.put(bytes([n]) * 200_000) for n in range(20)]
        kept = [p for p in (in_bucket.folder / "cache" / "objects").rglob("*") if p.is_file()]
        assert 0 < sum(path.stat().st_size for path in kept) <= 1_000_000
        assert all(in_bucket.get(ref) == bytes([n]) * 200_000 for n, ref in enumerate(refs))

    def test_a_path_stays_while_others_are_read(self, in_bucket):
        path = in_bucket.path(in_bucket.put(b"rows" * 50_000))
        for n in range(20):
            in_bucket.put(bytes([n]) * 200_000)
        assert path.read_bytes() == b"rows" * 50_000

    def test_its_files_are_its_owner_s_alone(self, in_bucket):
        in_bucket.path(in_bucket.put(b"rows"))
        assert {oct(p.stat().st_mode & 0o077) for p in in_bucket.folder.rglob("*")} == {"0o0"}
