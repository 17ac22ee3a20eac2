"""Feature versions in git and DVC: what is damaged is mended, or named."""

import shutil

import pytest

from pipelines.errors import Corrupted, Unreachable
from pipelines.versions.objects import md5
from tests.contracts.dvc_repository import file, in_remote
from tests.contracts.processes import flip

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


def in_cache(dvc_root, data):
    oid = md5(data)
    return dvc_root / "repo" / ".dvc" / "cache" / "files" / "md5" / oid[:2] / oid[2:]


class TestDamage:
    @pytest.mark.parametrize("name", ["m.dvc", "m.json"])
    def test_a_pointer_or_manifest_that_is_none_is_named(self, dvc_versions, dvc_root, name):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        for bad in (
            b"{: [",
            b"[]",
            b"\xff",
            b"outs: []",
            b"[" * 100_000,
            b'{"files": []}',
            b'{"files": {"a": 3}}',
        ):
            (dvc_root / "repo" / "features" / name).write_bytes(bad)
            dvc_versions._git.commit([f"features/{name}"], "damaged")
            with pytest.raises(Corrupted, match="manifest of m"):
                dvc_versions.files("m")

    def test_a_git_repository_that_is_damaged_is_named(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        for path in (dvc_root / "repo" / ".git" / "objects").rglob("*"):
            if path.is_file():
                path.chmod(0o600)
                path.write_bytes(b"x")
        with pytest.raises(Corrupted, match=r"repository .* is damaged"):
            dvc_versions.files("m")
        (dvc_root / "repo" / ".git" / "HEAD").write_bytes(b"x")
        with pytest.raises(Corrupted, match=r"repository .* is damaged"):
            dvc_versions.files("m")

    def test_what_dvc_remembers_is_made_anew_where_it_is_damaged(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        remembered = [
            path
            for path in (dvc_root / "repo" / ".dvc" / "tmp" / "site").rglob("*.db")
            if path.is_file()
        ]
        assert remembered
        for path in remembered:
            path.write_bytes(b"no database" * 500)
        with pytest.raises(Unreachable, match="was damaged, and was removed"):
            dvc_versions.commit("m", {"b": file(b"2")}, "second")
        assert set(
            dvc_versions.files("m", dvc_versions.commit("m", {"b": file(b"2")}, "second").revision)
        ) == {
            "a",
            "b",
        }

    def test_what_dvc_remembers_is_its_owners_alone(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        site = dvc_root / "repo" / ".dvc" / "tmp" / "site"
        assert {path.stat().st_mode & 0o077 for path in (site, *site.rglob("*"))} == {0}


class TestDamagedObjects:
    """What one of cache and remote lost, the other mends."""

    def test_a_damaged_cache_is_mended_from_the_remote(self, dvc_versions, dvc_root):
        version = dvc_versions.commit("m", {"a": file(b"1" * 100), "b": file(b"2" * 100)}, "first")
        flip(in_cache(dvc_root, b"1" * 100))
        in_cache(dvc_root, b"2" * 100).unlink()
        for listing in (dvc_root / "repo/.dvc/cache").rglob("*.dir"):
            flip(listing, at=3)
        assert [p.read_bytes() for p in dvc_versions.fetch("m", version, ["a", "b"])] == [
            b"1" * 100,
            b"2" * 100,
        ]
        dvc_versions.commit("m", {"c": file(b"3")}, "the next commit works")
        assert set(dvc_versions.files("m")) == {"a", "b", "c"}

    def test_an_empty_cache_is_filled_from_the_remote(self, dvc_versions, dvc_root):
        version = dvc_versions.commit("m", {"a": file(b"1")}, "first")
        shutil.rmtree(dvc_root / "repo/.dvc/cache")
        assert dvc_versions.fetch("m", version, ["a"])[0].read_bytes() == b"1"
        assert set(dvc_versions.files("m")) == {"a"}

    def test_a_damaged_remote_is_named_once_the_cache_is_gone(self, dvc_versions, dvc_root):
        version = dvc_versions.commit("m", {"a": file(b"1" * 100), "b": file(b"2")}, "first")
        flip(in_remote(dvc_root, b"1" * 100))
        assert dvc_versions.fetch("m", version, ["a"])
        in_cache(dvc_root, b"1" * 100).unlink()
        with pytest.raises(Corrupted, match=str(in_remote(dvc_root, b"1" * 100))):
            dvc_versions.fetch("m", version, ["a"])
        assert dvc_versions.fetch("m", version, ["b"])

    def test_an_object_missing_everywhere_is_named(self, dvc_versions, dvc_root):
        version = dvc_versions.commit("m", {"a": file(b"1")}, "first")
        in_cache(dvc_root, b"1").unlink()
        in_remote(dvc_root, b"1").unlink()
        with pytest.raises(Corrupted, match=rf"{in_remote(dvc_root, b'1')} .*missing"):
            dvc_versions.fetch("m", version, ["a"])

    def test_a_file_damaged_in_the_cache_does_not_slip_into_the_next_version(
        self, dvc_versions, dvc_root
    ):
        dvc_versions.commit("m", {"a": file(b"1" * 100)}, "first")
        flip(in_cache(dvc_root, b"1" * 100))
        second = dvc_versions.commit("m", {"b": file(b"2")}, "second")
        assert dvc_versions.fetch("m", second, ["a"])[0].read_bytes() == b"1" * 100

    def test_a_damaged_object_in_the_remote_is_not_taken_for_pushed(self, dvc_versions, dvc_root):
        target = in_remote(dvc_root, b"1")
        dvc_versions.commit("m", {"z": file(b"0")}, "first")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"other")
        target.chmod(0o444)
        dvc_versions.commit("m", {"a": file(b"1")}, "second")
        assert target.read_bytes() == b"1"

    def test_what_the_remote_lost_is_pushed_again(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        in_remote(dvc_root, b"1").unlink()
        dvc_versions.commit("m", {"b": file(b"2")}, "second")
        assert in_remote(dvc_root, b"1").read_bytes() == b"1"
