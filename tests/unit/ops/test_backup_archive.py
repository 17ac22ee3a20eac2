"""The archive: every changed byte and every cut is seen."""

from __future__ import annotations

import io
import tarfile

import pytest

from pipelines.errors import Corrupted, RequestError
from pipelines.ops.backup.archive import HEAD, MANIFEST, Manifest, Writer, check_archive
from pipelines.refs import canonical, sha256
from pipelines.store.sealing import seal


class TestTheArchive:
    @pytest.fixture
    def small(self, tmp_path):
        """A small archive, its bytes and its manifest."""
        path = tmp_path / "small.tar"
        (tmp_path / "key").write_bytes(b"a key")
        with path.open("wb") as file:
            writer = Writer(file, "0.1", "2026-01-01T00:00:00Z")
            writer.add("secrets/key", tmp_path / "key")
            manifest = writer.finish({"ledger": "sqlite"}, "/var/artifacts")
        return path, path.read_bytes(), manifest

    def test_every_flipped_byte_is_refused_or_means_nothing(self, small):
        path, whole, manifest = small
        end = whole.rindex(b"}") + 1  # zeros follow
        refused = 0
        for at in range(end):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            try:
                assert check_archive(path, lambda _: True) == manifest
            except (Corrupted, RequestError):
                refused += 1
        assert refused > 1_900

    def test_every_cut_is_refused(self, small):
        path, whole, _ = small
        for size in range(0, whole.rindex(b"}"), 7):
            path.write_bytes(whole[:size])
            with pytest.raises((Corrupted, RequestError)):
                check_archive(path, lambda _: True)

    def test_one_of_the_first_format_is_still_read(self, small):
        path, _, manifest = small
        head = canonical({"format": 1, "product": "0.1", "at": manifest.at})
        members = {**manifest.members, HEAD: sha256(head)}
        older = manifest.model_copy(update={"format": 1, "members": members})
        contents = {HEAD: head, "secrets/key": b"a key", MANIFEST: canonical(older)}
        for last, known in ((canonical(older), True), (seal(canonical(older)), False)):
            with tarfile.open(path, "w") as tar:
                for name, data in {**contents, MANIFEST: last}.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
            if known:
                assert check_archive(path, lambda _: True) == Manifest.model_validate(
                    older.model_dump()
                )
            else:
                with pytest.raises(Corrupted, match="manifest"):
                    check_archive(path, lambda _: True)
