"""Feature versions in git and DVC.

What crashes, disks, other writers and users' configurations do to them.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from pipelines.errors import Busy, Corrupted, PerennialError, StorageFull, Unreachable
from pipelines.versions.dvc import DvcVersions
from pipelines.versions.objects import md5, object_of_pointer, objects_of_listing
from tests.contracts.features_repository import WRITER, file, in_cache, in_remote, log
from tests.contracts.processes import finish, flip, small_disk, start

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "versions"


@pytest.fixture
def real(root):
    return DvcVersions(root, lock_timeout=60)


class TestDamage:
    def test_a_git_repository_that_is_damaged_is_named(self, real, root):
        real.commit("m", {"a": file(b"1")}, "first")
        for path in (root / "repo" / ".git" / "objects").rglob("*"):
            if path.is_file():
                path.chmod(0o600)
                path.write_bytes(b"x")
        with pytest.raises(Corrupted, match=r"repository .* is damaged"):
            real.files("m")
        (root / "repo" / ".git" / "HEAD").write_bytes(b"x")
        with pytest.raises(Corrupted, match=r"repository .* is damaged"):
            real.files("m")

    @pytest.mark.parametrize("name", ["m.dvc", "m.json"])
    def test_a_pointer_or_manifest_that_is_none_is_named(self, real, root, name):
        real.commit("m", {"a": file(b"1")}, "first")
        for bad in (
            b"{: [",
            b"[]",
            b"\xff",
            b"outs: []",
            b"[" * 100_000,
            b'{"files": []}',
            b'{"files": {"a": 3}}',
        ):
            (root / "repo" / "features" / name).write_bytes(bad)
            real._git.commit([f"features/{name}"], "damaged")
            with pytest.raises(Corrupted, match="manifest of m"):
                real.files("m")

    def test_what_dvc_remembers_is_made_anew_where_it_is_damaged(self, real, root):
        real.commit("m", {"a": file(b"1")}, "first")
        remembered = [
            path
            for path in (root / "repo" / ".dvc" / "tmp" / "site").rglob("*.db")
            if path.is_file()
        ]
        assert remembered
        for path in remembered:
            path.write_bytes(b"no database" * 500)
        with pytest.raises(Unreachable, match="was damaged, and was removed"):
            real.commit("m", {"b": file(b"2")}, "second")
        assert set(real.files("m", real.commit("m", {"b": file(b"2")}, "second").revision)) == {
            "a",
            "b",
        }

    def test_what_dvc_remembers_is_its_owners_alone(self, real, root):
        real.commit("m", {"a": file(b"1")}, "first")
        site = root / "repo" / ".dvc" / "tmp" / "site"
        assert {path.stat().st_mode & 0o077 for path in (site, *site.rglob("*"))} == {0}


class TestDvcVersions:
    def test_a_person_with_git_and_dvc_can_read_it(self, real, root, tmp_path):
        version = real.commit("m", {"a": file(b"1" * 100), "b": file(b"2")}, "first")
        real.commit("m", {"a": file(b"3")}, "second")
        clone = tmp_path / "clone"
        subprocess.run(["git", "clone", "-q", str(root / "repo"), str(clone)], check=True)
        subprocess.run(["git", "checkout", "-q", version.revision], cwd=clone, check=True)
        subprocess.run([sys.executable, "-m", "dvc", "pull", "-q"], cwd=clone, check=True)
        assert (clone / "features/m/a.parquet").read_bytes() == b"1" * 100
        assert (clone / "features/m/b.parquet").read_bytes() == b"2"

    @pytest.mark.parametrize("name", ["moved", "with, comma and 'quotes' #1"])
    def test_a_clone_finds_the_remote_after_the_state_was_moved(self, real, root, tmp_path, name):
        real.commit("m", {"a": file(b"1" * 100)}, "first")
        moved = root.rename(tmp_path / name)
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

    def test_a_damaged_cache_is_mended_from_the_remote(self, real, root):
        version = real.commit("m", {"a": file(b"1" * 100), "b": file(b"2" * 100)}, "first")
        flip(in_cache(root, b"1" * 100))
        in_cache(root, b"2" * 100).unlink()
        for listing in (root / "repo/.dvc/cache").rglob("*.dir"):
            flip(listing, at=3)
        assert [p.read_bytes() for p in real.fetch("m", version, ["a", "b"])] == [
            b"1" * 100,
            b"2" * 100,
        ]
        real.commit("m", {"c": file(b"3")}, "the next commit works")
        assert set(real.files("m")) == {"a", "b", "c"}

    def test_an_empty_cache_is_filled_from_the_remote(self, real, root):
        version = real.commit("m", {"a": file(b"1")}, "first")
        shutil.rmtree(root / "repo/.dvc/cache")
        assert real.fetch("m", version, ["a"])[0].read_bytes() == b"1"
        assert set(real.files("m")) == {"a"}

    def test_a_damaged_remote_is_named_once_the_cache_is_gone(self, real, root):
        version = real.commit("m", {"a": file(b"1" * 100), "b": file(b"2")}, "first")
        flip(in_remote(root, b"1" * 100))
        assert real.fetch("m", version, ["a"])
        in_cache(root, b"1" * 100).unlink()
        with pytest.raises(Corrupted, match=str(in_remote(root, b"1" * 100))):
            real.fetch("m", version, ["a"])
        assert real.fetch("m", version, ["b"])

    def test_an_object_missing_everywhere_is_named(self, real, root):
        version = real.commit("m", {"a": file(b"1")}, "first")
        in_cache(root, b"1").unlink()
        in_remote(root, b"1").unlink()
        with pytest.raises(Corrupted, match=rf"{in_remote(root, b'1')} .*missing"):
            real.fetch("m", version, ["a"])

    def test_a_file_damaged_in_the_cache_does_not_slip_into_the_next_version(self, real, root):
        real.commit("m", {"a": file(b"1" * 100)}, "first")
        flip(in_cache(root, b"1" * 100))
        second = real.commit("m", {"b": file(b"2")}, "second")
        assert real.fetch("m", second, ["a"])[0].read_bytes() == b"1" * 100

    def test_a_damaged_object_in_the_remote_is_not_taken_for_pushed(self, real, root):
        target = in_remote(root, b"1")
        real.commit("m", {"z": file(b"0")}, "first")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"other")
        target.chmod(0o444)
        real.commit("m", {"a": file(b"1")}, "second")
        assert target.read_bytes() == b"1"

    def test_what_the_remote_lost_is_pushed_again(self, real, root):
        real.commit("m", {"a": file(b"1")}, "first")
        in_remote(root, b"1").unlink()
        real.commit("m", {"b": file(b"2")}, "second")
        assert in_remote(root, b"1").read_bytes() == b"1"

    def test_a_full_remote_leaves_no_pointer(self, real, root):
        with small_disk(root / "remote", "512k") as disk:
            kept = real.commit("m", {"a": file(b"1")}, "first")
            with pytest.raises(StorageFull, match=str(root)):
                real.commit("m", {"b": file(b"2" * 1_000_000)}, "too large")
            assert log(root)[0] == "first"
            assert set(real.files("m")) == {"a"}
            subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
            version = real.commit("m", {"b": file(b"2" * 1_000_000)}, "room")
            assert real.fetch("m", version, ["b"])[0].read_bytes() == b"2" * 1_000_000
            assert real.fetch("m", kept, ["a"])

    def test_a_full_working_disk_leaves_no_pointer(self, real, root):
        with small_disk(root, "2m"):
            real.commit("m", {"a": file(b"1")}, "first")
            with pytest.raises(StorageFull, match=str(root)):
                real.commit("m", {"b": file(os.urandom(4_000_000))}, "too large")
            assert set(real.files("m")) == {"a"}
            real.commit("m", {"b": file(b"2")}, "small")

    def test_a_remote_that_is_away_leaves_no_pointer(self, real, root):
        real.commit("m", {"a": file(b"1")}, "first")
        (root / "remote").rename(root / "away")
        with pytest.raises(Unreachable, match="remote"):
            real.commit("m", {"b": file(b"2")}, "away")
        (root / "away").rename(root / "remote")
        assert log(root)[0] == "first"
        real.commit("m", {"b": file(b"2")}, "back")

    def test_a_lost_repository_is_not_begun_anew_over_a_full_remote(self, real, root):
        real.commit("m", {"a": file(b"1")}, "first")
        shutil.rmtree(root / "repo")
        with pytest.raises(Corrupted, match="is gone"):
            real.commit("m", {"a": file(b"1")}, "anew")

    def test_a_writer_that_waits_too_long_says_so(self, root):
        impatient = DvcVersions(root, lock_timeout=0.1)
        root.mkdir()
        with FileLock(root / "lock"), pytest.raises(Busy, match=str(root)):
            impatient.commit("m", {"a": file(b"1")}, "never")

    def test_readers_need_no_lock(self, root):
        impatient = DvcVersions(root, lock_timeout=0.1)
        version = impatient.commit("m", {"a": file(b"1")}, "first")
        with FileLock(root / "lock"):
            assert impatient.fetch("m", version, ["a"])
            assert impatient.files("m")

    def test_writers_in_several_processes_queue_up(self, real, root):
        finish(*(start(WRITER, root, f"p{n}", 3) for n in range(3)))
        assert set(real.files("m")) == {f"p{n}-{i}" for n in range(3) for i in range(3)}
        assert len(log(root)) == 10

    def test_writers_in_several_threads_queue_up(self, real):
        with ThreadPoolExecutor(4) as pool:
            list(
                pool.map(
                    lambda n: real.commit("m", {f"t{n}": file(f"{n}".encode())}, "thread"), range(6)
                )
            )
        assert set(real.files("m")) == {f"t{n}" for n in range(6)}

    def test_parallel_readers_import_no_dvc(self, real, root):
        version = real.commit("m", {"a": file(b"1")}, "first")
        program = (
            "import sys, pathlib; from pipelines.refs import FeaturesVersion; from"
            " pipelines.versions.dvc import DvcVersions\n"
            "version = FeaturesVersion(revision=sys.argv[2], sha256=sys.argv[3])\n"
            "print(DvcVersions(pathlib.Path(sys.argv[1])).fetch('m', version,"
            " ['a'])[0].read_text(), 'dvc.repo' in sys.modules)"
        )
        assert (
            finish(*(start(program, root, version.revision, version.sha256) for _ in range(3)))
            == ["1 False\n"] * 3
        )

    def test_what_users_configured_for_themselves_does_not_matter(self, real, root, tmp_path):
        home = tmp_path / "home"
        hooks = home / "hooks"
        hooks.mkdir(parents=True)
        (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
        (hooks / "pre-commit").chmod(0o755)
        core = f"[core]\n hooksPath = {hooks}\n autocrlf = true\n excludesFile = {home}/ignore\n"
        (home / ".gitconfig").write_text(
            f"{core}[commit]\n gpgSign = true\n[user]\n name = Somebody\n"
        )
        (home / "ignore").write_text("*\n")
        (home / ".config/dvc").mkdir(parents=True)
        remote = f"['remote \"other\"']\n url = {home}/other\n"
        (home / ".config/dvc/config").write_text(
            f"[core]\n remote = other\n[cache]\n dir = {home}/cache\n{remote}"
        )
        finish(
            start(
                WRITER, root, "p", 1, HOME=str(home), GIT_DIR=str(home), GIT_AUTHOR_NAME="Somebody"
            )
        )
        finish(start(WRITER, root, "q", 1, HOME=str(home / "missing")))
        finish(start(WRITER, root, "r", 1))
        assert set(real.files("m")) == {"p-0", "q-0", "r-0"}
        assert in_remote(root, b"p-0").is_file()
        assert not (home / "cache").exists()
        authors = subprocess.run(
            ["git", "log", "--format=%an"],
            cwd=root / "repo",
            capture_output=True,
            text=True,
            check=True,
        )
        assert set(authors.stdout.split()) == {"perennial"}

    @pytest.mark.parametrize(
        ("place", "text"),
        [
            (".git/config", '[filter "z"]\n\tclean = touch {mark}\n\tsmudge = touch {mark}\n'),
            (".git/config", "[core]\n\tsshCommand = touch {mark}\n"),
            (".git/config", "[core] fsmonitor = touch {mark}\n"),
            (".git/config", "\tfilemode = true\\\n\tpager = touch {mark}\n"),
            (".git/config", "[include]\n\tpath = {mark}\n"),
            (".git/config", "[alias]\n\tlog = !touch {mark}\n"),
            (".git/info/attributes", "* filter=z\n"),
            (".git/config.worktree", ""),
            (".git/commondir", "../elsewhere\n"),
            (".gitattributes", "* filter=z\n"),
            ("features/.gitattributes", "* ident\n"),
        ],
    )
    def test_a_repository_that_could_run_a_command_is_refused(
        self, real, root, tmp_path, place, text
    ):
        version = real.commit("m", {"a": file(b"1")}, "first")
        path, mark = root / "repo" / place, tmp_path / "ran"
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as changed:
            changed.write(text.format(mark=mark))
        for call in (
            lambda: real.commit("m", {"b": file(b"2")}, "never"),
            lambda: real.fetch("m", version, ["a"]),
            lambda: real.files("m"),
        ):
            with pytest.raises(Corrupted, match=str(path)):
                call()
        assert not mark.exists()

    def test_a_filter_of_somebodys_does_not_run(self, real, root, tmp_path):
        """The attack whole: a command in the configuration, and attributes that apply it to every
        file."""
        real.commit("m", {"a": file(b"1")}, "first")
        git, mark = root / "repo" / ".git", tmp_path / "ran"
        (git / "info").mkdir()
        (git / "info/attributes").write_text("* filter=z\n")
        with (git / "config").open("a") as config:
            config.write(
                f'[filter "z"]\n\tclean = sh -c "touch {mark}; cat"\n\tsmudge = sh -c "touch'
                f' {mark}; cat"\n'
            )
        with pytest.raises(Corrupted):
            real.commit("m", {"b": file(b"2")}, "never")
        assert not mark.exists()

    def test_git_looks_for_no_repository_above(self, real, root):
        """A folder that is no repository any more must not make git heal the one around it."""
        version = real.commit("m", {"a": file(b"1")}, "first")
        subprocess.run(["git", "init", "-q", str(root.parent)], check=True)
        (root / "repo/.git/HEAD").unlink()
        with pytest.raises(PerennialError, match="not a git repository"):
            real.fetch("m", version, ["a"])

    def test_a_commit_prints_nothing_to_stdout(self, root):
        assert finish(start(WRITER.replace("print('ready', flush=True)", ""), root, "p", 2)) == [""]

    def test_the_pointer_is_dvcs_own(self, real, root):
        real.commit("m", {"a": file(b"1")}, "first")
        oid = object_of_pointer((root / "repo/features/m.dvc").read_bytes())
        assert objects_of_listing((root / "remote/files/md5" / oid[:2] / oid[2:]).read_bytes()) == {
            "a.parquet": md5(b"1")
        }
