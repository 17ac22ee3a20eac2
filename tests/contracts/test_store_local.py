"""The store in a folder: what only real files can suffer."""

import os
import signal

import pytest

from pipelines.errors import Corrupted, StorageFull
from pipelines.store.local import LocalStore
from tests.contracts.processes import finish, flip, small_disk, start


@pytest.fixture
def pipe():
    """The end of a pipe that is read: it can be neither written nor cut nor flushed."""
    ends = os.pipe()
    yield ends[0]
    for end in ends:
        os.close(end)


class TestLocalStore:
    def test_a_link_is_never_removed(self, tmp_path):
        store = LocalStore(tmp_path / "store")
        store.publish("results/other", b"{}")
        (tmp_path / "precious").write_bytes(b"{}")
        (tmp_path / "store" / "keys" / "results" / "link").symlink_to(tmp_path / "precious")
        assert not store.remove("entries", "results/link")
        assert (tmp_path / "precious").exists()
        assert store.keys("results") == ["results/link", "results/other"]

    def test_what_a_killed_writer_left_is_unfinished_and_can_be_removed(self, tmp_path):
        store = LocalStore(tmp_path)
        ref = store.put(b"whole")
        left = tmp_path / "objects" / "ab" / ".half.tmp"
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"ha")
        (item,) = store.contents("unfinished")
        assert (item.name, item.size) == ("objects/ab/.half.tmp", 2)
        assert not store.remove("unfinished", item.name, unused_since=item.used_at)
        for name in (ref.uri, "../.x.tmp", "/.x.tmp"):
            with pytest.raises(ValueError, match="is no temporary file"):
                store.remove("unfinished", name)
        assert store.remove("unfinished", item.name)
        assert list(store.contents("unfinished")) == []
        assert store.get(ref) == b"whole"

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
