"""Feature versions in git and DVC: what lies in the folder, and what disks do to it."""

import os
import shutil
import subprocess
import sys

import pytest

from pipelines.errors import Corrupted, StorageFull, Unreachable
from pipelines.versions.dvc import DvcVersions
from pipelines.versions.objects import md5, object_of_pointer, objects_of_listing
from tests.contracts.dvc_repository import WRITER, file, log
from tests.contracts.processes import finish, small_disk, start

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


class TestRepository:
    """What lies in the folder is git's and DVC's own."""

    def test_a_person_with_git_and_dvc_can_read_it(self, dvc_versions, dvc_root, tmp_path):
        version = dvc_versions.commit("m", {"a": file(b"1" * 100), "b": file(b"2")}, "first")
        dvc_versions.commit("m", {"a": file(b"3")}, "second")
        clone = tmp_path / "clone"
        subprocess.run(["git", "clone", "-q", str(dvc_root / "repo"), str(clone)], check=True)
        subprocess.run(["git", "checkout", "-q", version.revision], cwd=clone, check=True)
        subprocess.run([sys.executable, "-m", "dvc", "pull", "-q"], cwd=clone, check=True)
        assert (clone / "features/m/a.parquet").read_bytes() == b"1" * 100
        assert (clone / "features/m/b.parquet").read_bytes() == b"2"

    @pytest.mark.parametrize("name", ["moved", "with, comma and 'quotes' #1"])
    def test_a_clone_finds_the_remote_after_the_state_was_moved(
        self, dvc_versions, dvc_root, tmp_path, name
    ):
        dvc_versions.commit("m", {"a": file(b"1" * 100)}, "first")
        moved = dvc_root.rename(tmp_path / name)
        DvcVersions(moved, lock_timeout=60).commit("m", {"b": file(b"2" * 100)}, "second")
        DvcVersions(moved, lock_timeout=60).commit("m", {"b": file(b"3" * 100)}, "third")
        assert log(moved) == [
            "third",
            "second",
            "The remote is where the features are",
            "first",
            "An empty repository of features",
        ]
        clone = tmp_path / "clone"
        subprocess.run(["git", "clone", "-q", str(moved / "repo"), str(clone)], check=True)
        subprocess.run([sys.executable, "-m", "dvc", "pull", "-q"], cwd=clone, check=True)
        assert [(clone / f"features/m/{n}.parquet").read_bytes() for n in "ab"] == [
            b"1" * 100,
            b"3" * 100,
        ]


class TestPlaces:
    """A remote or a disk that is full, away or gone leaves no half version."""

    def test_a_full_remote_leaves_no_pointer(self, dvc_versions, dvc_root):
        with small_disk(dvc_root / "remote", "512k") as disk:
            kept = dvc_versions.commit("m", {"a": file(b"1")}, "first")
            with pytest.raises(StorageFull, match=str(dvc_root)):
                dvc_versions.commit("m", {"b": file(b"2" * 1_000_000)}, "too large")
            assert log(dvc_root)[0] == "first"
            assert set(dvc_versions.files("m")) == {"a"}
            subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
            version = dvc_versions.commit("m", {"b": file(b"2" * 1_000_000)}, "room")
            assert dvc_versions.fetch("m", version, ["b"])[0].read_bytes() == b"2" * 1_000_000
            assert dvc_versions.fetch("m", kept, ["a"])

    def test_a_full_working_disk_leaves_no_pointer(self, dvc_versions, dvc_root):
        with small_disk(dvc_root, "2m"):
            dvc_versions.commit("m", {"a": file(b"1")}, "first")
            with pytest.raises(StorageFull, match=str(dvc_root)):
                dvc_versions.commit("m", {"b": file(os.urandom(4_000_000))}, "too large")
            assert set(dvc_versions.files("m")) == {"a"}
            dvc_versions.commit("m", {"b": file(b"2")}, "small")

    def test_a_remote_that_is_away_leaves_no_pointer(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        (dvc_root / "remote").rename(dvc_root / "away")
        with pytest.raises(Unreachable, match="remote"):
            dvc_versions.commit("m", {"b": file(b"2")}, "away")
        (dvc_root / "away").rename(dvc_root / "remote")
        assert log(dvc_root)[0] == "first"
        dvc_versions.commit("m", {"b": file(b"2")}, "back")

    def test_a_lost_repository_is_not_begun_anew_over_a_full_remote(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        shutil.rmtree(dvc_root / "repo")
        with pytest.raises(Corrupted, match="is gone"):
            dvc_versions.commit("m", {"a": file(b"1")}, "anew")

    def test_a_repository_that_was_killed_in_the_making_is_made_anew(self, dvc_versions, dvc_root):
        (dvc_root / ".repo-draft" / ".git").mkdir(parents=True)
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        assert sorted(p.name for p in dvc_root.iterdir()) == ["lock", "remote", "repo"]


class TestOutput:
    def test_a_commit_prints_nothing_to_stdout(self, dvc_root):
        assert finish(
            start(WRITER.replace("print('ready', flush=True)", ""), dvc_root, "p", 2)
        ) == [""]

    def test_the_pointer_is_dvcs_own(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        oid = object_of_pointer((dvc_root / "repo/features/m.dvc").read_bytes())
        assert objects_of_listing(
            (dvc_root / "remote/files/md5" / oid[:2] / oid[2:]).read_bytes()
        ) == {"a.parquet": md5(b"1")}
