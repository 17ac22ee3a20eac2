"""The Store port: what both implementations promise, and what only real files can suffer."""

import os
import signal

import pytest

from pipelines.errors import Corrupted, StorageFull
from pipelines.refs import Ref, sha256
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from tests.contracts.processes import finish, flip, small_disk, start


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path / "store") if request.param == "local" else MemoryStore()


@pytest.fixture
def pipe():
    """The end of a pipe that is read: it can be neither written nor cut nor flushed."""
    ends = os.pipe()
    yield ends[0]
    for end in ends:
        os.close(end)


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
        "key",
        ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/.", "a/.hidden", "a\\b", "a\x00b"],
    )
    def test_a_key_cannot_leave_the_store(self, store, key):
        for call in (store.read, lambda k: store.publish(k, b"x"), store.keys):
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

    def test_a_dropped_segment_is_gone(self, store):
        store.open_segment("log/m/one").close()
        store.drop_segment("log/m/one")
        store.drop_segment("log/m/one")
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
            store.drop_segment,
        ):
            with pytest.raises(ValueError, match="is no key"):
                call(name)


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
            "import sys, pathlib; from pipelines.store.local import LocalStore\n"
            "store = LocalStore(pathlib.Path(sys.argv[1]))\n"
            "print(sum(store.publish(f'results/{i}', sys.argv[2].encode()) for i in range(200)))"
        )
        won = [int(out) for out in finish(*(start(program, tmp_path, n) for n in range(4)))]
        assert sum(won) == 200
        assert len(LocalStore(tmp_path).keys("results")) == 200

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_the_segment_of_a_killed_process_is_closed_and_keeps_what_was_appended(
        self, tmp_path, number
    ):
        program = (
            "import sys, pathlib, time; from pipelines.store.local import LocalStore\n"
            "segment = LocalStore(pathlib.Path(sys.argv[1])).open_segment('log/m/one')\n"
            "segment.append(b'answered'); print('ready', flush=True); time.sleep(60)"
        )
        store, writer = LocalStore(tmp_path), start(program, tmp_path)
        assert writer.stdout.readline() == "ready\n"
        assert store.is_open("log/m/one")
        writer.send_signal(number)
        assert writer.wait(timeout=60) == -number
        writer.communicate()
        assert not store.is_open("log/m/one")
        assert store.read_segment("log/m/one") == b"answered"

    def test_on_a_full_disk_nothing_of_an_append_is_kept_and_room_lets_it_go_on(self, tmp_path):
        with small_disk(tmp_path / "disk", "64k") as disk:
            store = LocalStore(disk)
            segment = store.open_segment("log/m/one")
            segment.append(b"kept\n")
            ballast = disk / "ballast"
            ballast.write_bytes(b"x" * 40_000)
            with pytest.raises(StorageFull, match=str(disk)):
                segment.append(b"y" * 50_000)
            assert (store.read_segment("log/m/one"), segment.size) == (b"kept\n", 5)
            ballast.unlink()
            segment.append(b"more\n")
            assert store.read_segment("log/m/one") == b"kept\nmore\n"
            segment.close()

    def test_a_flush_that_failed_fails_for_ever(self, tmp_path, pipe):
        segment = LocalStore(tmp_path).open_segment("log/m/one")
        segment.append(b"lost?")
        own = os.dup(segment._handle)
        os.dup2(pipe, segment._handle)  # a pipe cannot be flushed
        for _ in range(2):
            with pytest.raises(OSError, match="Invalid argument"):
                segment.sync()
        os.dup2(own, segment._handle)
        os.close(own)
        for call in (segment.sync, segment.close, segment.sync):
            with pytest.raises(OSError, match="Invalid argument"):
                call()
        assert not LocalStore(tmp_path).is_open("log/m/one")

    @pytest.mark.parametrize("flushed", [True, False])
    def test_a_segment_that_cannot_be_repaired_is_flushed_and_closed(self, tmp_path, pipe, flushed):
        store = LocalStore(tmp_path)
        segment = store.open_segment("log/m/one")
        segment.append(b"kept\n")
        if flushed:  # a handle that may only read cannot be written or cut, but be flushed
            pipe = os.open(tmp_path / "segments" / "log" / "m" / "one", os.O_RDONLY)
        os.dup2(pipe, segment._handle)
        with pytest.raises(OSError, match="Invalid argument"):
            segment.append(b"more\n")
        assert not store.is_open("log/m/one")
        if flushed:
            os.close(pipe)
            segment.sync()
        else:
            with pytest.raises(OSError, match="Invalid argument"):
                segment.sync()
        assert store.read_segment("log/m/one") == b"kept\n"

    def test_a_segment_that_cannot_be_begun_leaves_nothing(self, tmp_path):
        (tmp_path / "segments").mkdir()
        (tmp_path / "segments" / "log").write_text("a file where a folder should be")
        with pytest.raises(OSError, match="log"):
            LocalStore(tmp_path).open_segment("log/one")
        LocalStore(tmp_path).open_segment("m/one").close()
        assert [p.name for p in (tmp_path / "segments" / "m").iterdir()] == ["one"]
