"""The Store port: what every implementation promises."""

import contextlib
import itertools
import os
import time

import pytest

from pipelines.errors import Corrupted
from pipelines.refs import Ref, sha256
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from tests.buckets import bucket_store
from tests.services import EVERY, endpoint_of

ALL = ["local", "memory", *EVERY]


@pytest.fixture
def bucket(request, tmp_path):
    """What makes a store in an empty bucket of an endpoint."""
    with contextlib.ExitStack() as stack:

        def make(kind):
            endpoint = endpoint_of(request, kind)
            return bucket_store(stack.enter_context(endpoint.bucket()), tmp_path / "host")

        yield make


@pytest.fixture(params=ALL)
def store(request, tmp_path, bucket):
    if request.param == "memory":
        return MemoryStore()
    return LocalStore(tmp_path / "store") if request.param == "local" else bucket(request.param)


@pytest.fixture(params=ALL)
def aged(request, tmp_path, bucket):
    """A store, and what makes one of its objects older: by an hour, in a bucket by a second."""
    if request.param == "local":
        moment = time.time() - 3_600
        return LocalStore(tmp_path), lambda uri: os.utime(tmp_path / uri, (moment, moment))
    if request.param == "memory":
        times = itertools.count(1_000)
        return MemoryStore(clock=lambda: next(times)), lambda _: None
    return bucket(request.param), lambda _: time.sleep(1.1)


class TestStore:
    def test_a_file_is_stored_as_its_bytes_are(self, store, tmp_path):
        data = bytes(range(256)) * 10_000
        (tmp_path / "rows").write_bytes(data)
        ref = store.put_file(tmp_path / "rows", ".parquet")
        assert (ref, store.get(ref)) == (store.put(data, ".parquet"), data)
        assert (tmp_path / "rows").read_bytes() == data
        assert store.put_file(tmp_path / "rows", ".parquet") == ref
        assert not list(store.contents("unfinished"))

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
        for key in (
            "releases/m/00000002",
            "releases/m/00000001",
            "releases/n/00000001",
            "releases/m/deeper/1",
        ):
            store.publish(key, b"x")
        assert store.keys("releases/m") == ["releases/m/00000001", "releases/m/00000002"]
        assert store.keys("nothing/here") == []

    @pytest.mark.parametrize(
        "name",
        [
            "a b",
            "a~b",
            "a%20b",
            "a+b",
            "a=b",
            "a:b",
            "a#b",
            "a?b",
            "a&b",
            "é",
            "2024-01-01T00:00:00Z~1",
        ],
    )
    def test_a_key_may_hold_signs_that_mean_something_in_a_url(self, store, name):
        assert store.publish(f"pages/{name}", b"x")
        assert not store.publish(f"pages/{name}", b"y")
        assert store.keys("pages") == [f"pages/{name}"]
        assert [item.name for item in store.contents("entries")] == [f"pages/{name}"]
        assert store.read(f"pages/{name}") == b"x"
        assert store.remove("entries", f"pages/{name}")
        assert store.keys("pages") == []

    @pytest.mark.parametrize(
        "key",
        ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/.", "a/.hidden", "a\\b", "a\x00b"],
    )
    def test_a_key_cannot_leave_the_store(self, store, key):
        for call in (
            store.read,
            lambda k: store.publish(k, b"x"),
            store.keys,
            lambda k: store.remove("entries", k),
            lambda k: store.remove("objects", k),
        ):
            with pytest.raises(ValueError, match="is no key"):
                call(key)

    @pytest.mark.parametrize(
        "uri", ["../up", "/etc/passwd", "objects/../../up", "a\\b", "a\x00b", ""]
    )
    def test_a_reference_cannot_leave_the_store(self, uri):
        with pytest.raises(ValueError, match="uri"):
            Ref(uri=uri, sha256=sha256(b""))

    def test_a_segment_grows_and_is_read_meanwhile(self, store):
        segment = store.open_segment("log/m/one")
        assert (segment.name, segment.size, store.read_segment("log/m/one")) == (
            "log/m/one",
            0,
            b"",
        )
        segment.append(b"first\n")
        assert store.read_segment("log/m/one") == b"first\n"
        segment.append(b"second\n")
        segment.sync()
        assert segment.size == 13
        assert store.read_segment("log/m/one", 6) == b"second\n"
        assert store.read_segment("log/m/one", 99) == b""

    def test_a_segment_is_open_until_it_is_closed(self, store):
        segment = store.open_segment("log/m/one")
        assert store.is_open("log/m/one")
        assert store.is_open("log/m/one")
        segment.close()
        segment.close()
        segment.sync()
        assert not store.is_open("log/m/one")
        with pytest.raises(ValueError, match="log/m/one is closed"):
            segment.append(b"late")
        assert store.read_segment("log/m/one") == b""

    @pytest.mark.parametrize("closed", [False, True])
    def test_what_was_appended_last_can_be_taken_back(self, store, closed):
        segment = store.open_segment("log/m/one")
        segment.append(b"kept\n")
        segment.append(b"taken back\n")
        if closed:
            segment.close()
        segment.cut(5)
        assert (store.read_segment("log/m/one"), segment.size) == (b"kept\n", 5)
        if not closed:
            segment.append(b"more\n")
            assert store.read_segment("log/m/one") == b"kept\nmore\n"

    def test_a_segment_is_never_begun_twice(self, store):
        store.open_segment("log/m/one").append(b"kept")
        with pytest.raises(ValueError, match="a segment log/m/one already"):
            store.open_segment("log/m/one")
        assert store.is_open("log/m/one")
        assert store.read_segment("log/m/one") == b"kept"

    def test_a_removed_segment_is_gone(self, store):
        store.open_segment("log/m/one").close()
        assert store.remove("segments", "log/m/one")
        assert not store.remove("segments", "log/m/one")
        assert (
            store.segments("log/m"),
            store.read_segment("log/m/one"),
            store.is_open("log/m/one"),
        ) == ([], None, False)

    def test_segments_lists_what_lies_directly_below(self, store):
        for name in ("log/m/b", "log/m/a", "log/n/a", "log/m/deeper/a"):
            store.open_segment(name)
        store.publish("log/m/key", b"x")
        assert store.segments("log/m") == ["log/m/a", "log/m/b"]
        assert store.segments("nothing/here") == []
        assert store.keys("log/m") == ["log/m/key"]

    @pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a//b", "a/.hidden", "a\x00b"])
    def test_a_segment_cannot_leave_the_store(self, store, name):
        for call in (
            store.open_segment,
            store.segments,
            store.read_segment,
            store.is_open,
            lambda n: store.remove("segments", n),
        ):
            with pytest.raises(ValueError, match="is no key"):
                call(name)

    def test_contents_are_told_with_name_and_size_at_any_depth(self, store):
        ref = store.put(b"rows", ".parquet")
        for key in ("releases/m/2", "releases/m/1", "pages/m/drift/run/1"):
            store.publish(key, b"{}")
        segment = store.open_segment("log/m/one")
        segment.append(b"first\n")
        assert [(o.name, o.size) for o in store.contents("objects")] == [(ref.uri, 4)]
        entries = ["pages/m/drift/run/1", "releases/m/1", "releases/m/2"]
        assert [e.name for e in store.contents("entries")] == entries
        assert [e.name for e in store.contents("entries", "releases")] == entries[1:]
        assert [e.name for e in store.contents("entries", "rel")] == []
        assert [(s.name, s.size) for s in store.contents("segments", "log")] == [("log/m/one", 6)]
        assert list(store.contents("unfinished")) == []

    def test_contents_of_a_new_store_are_nothing(self, store):
        for kind in ("objects", "entries", "segments", "unfinished"):
            assert list(store.contents(kind)) == []

    @pytest.mark.parametrize("below", ["/etc", "../up", "a//b", ".hidden", "a\x00b"])
    def test_contents_are_never_those_of_a_folder_outside(self, store, below):
        for kind in ("entries", "segments"):
            with pytest.raises(ValueError, match="is no key"):
                list(store.contents(kind, below))

    def test_what_is_removed_is_gone_and_can_be_written_again(self, store):
        ref = store.put(b"rows")
        store.publish("results/k", b"first")
        assert store.remove("objects", ref.uri)
        assert store.remove("entries", "results/k")
        assert not store.remove("objects", ref.uri)
        assert not store.remove("entries", "results/k")
        with pytest.raises(Corrupted, match=ref.uri):
            store.get(ref)
        assert store.read("results/k") is None
        assert store.publish("results/k", b"second")
        assert store.put(b"rows") == ref
        assert store.get(ref) == b"rows"

    def test_what_was_used_since_is_not_removed(self, store):
        ref = store.put(b"rows")
        store.publish("results/k", b"{}")
        store.open_segment("log/m/one").append(b"line")
        for kind in ("objects", "entries", "segments"):
            (item,) = store.contents(kind)
            assert not store.remove(kind, item.name, unused_since=item.used_at)
            assert [i.name for i in store.contents(kind)] == [item.name]
            assert store.remove(kind, item.name, unused_since=item.used_at + 1)
            assert list(store.contents(kind)) == []
        with pytest.raises(Corrupted, match=ref.uri):
            store.get(ref)

    def test_an_object_that_is_put_again_is_used_again(self, aged):
        store, grow_old = aged
        ref = store.put(b"rows")
        grow_old(ref.uri)
        (old,) = store.contents("objects")
        store.put(b"rows")
        (again,) = store.contents("objects")
        assert again.used_at > old.used_at
        assert not store.remove("objects", ref.uri, unused_since=old.used_at + 1)
        assert store.get(ref) == b"rows"
