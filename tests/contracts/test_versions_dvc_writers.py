"""Feature versions in git and DVC: writers beside each other, and writers that are killed."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from pipelines.errors import Busy
from pipelines.refs import sha256
from pipelines.versions.dvc import DvcVersions
from tests.contracts.dvc_repository import WRITER, file, in_remote, log
from tests.contracts.processes import await_end, finish, start

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


class TestWriters:
    """Writers and readers beside each other, and writers that are killed."""

    def test_a_writer_that_waits_too_long_says_so(self, dvc_root):
        impatient = DvcVersions(dvc_root, lock_timeout=0.1)
        dvc_root.mkdir()
        with FileLock(dvc_root / "lock"), pytest.raises(Busy, match=str(dvc_root)):
            impatient.commit("m", {"a": file(b"1")}, "never")

    def test_readers_need_no_lock(self, dvc_root):
        impatient = DvcVersions(dvc_root, lock_timeout=0.1)
        version = impatient.commit("m", {"a": file(b"1")}, "first")
        with FileLock(dvc_root / "lock"):
            assert impatient.fetch("m", version, ["a"])
            assert impatient.files("m")

    def test_locks_and_indexes_torn_by_a_crash_are_mended(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        repo = dvc_root / "repo"
        for stale in (
            ".git/index.lock",
            ".git/HEAD.lock",
            ".git/refs/heads/main.lock",
            ".dvc/tmp/lock",
            ".dvc/tmp/rwlock.lock",
        ):
            (repo / stale).write_text("torn")
        (repo / ".git/index").write_bytes(b"DIRC torn")
        (repo / ".dvc/tmp/rwlock").write_text('{"write": {"/')
        (repo / "features/m.json").write_text("{")
        (repo / "features/m.dvc").unlink()
        (repo / "features/stray.json").write_text("{}")
        (repo / "features/m/stray.parquet").write_bytes(b"stray")
        (repo / "features/m/a.parquet").unlink()
        version = dvc_versions.commit("m", {"b": file(b"2")}, "second")
        assert set(dvc_versions.files("m")) == {"a", "b"}
        assert [p.read_bytes() for p in dvc_versions.fetch("m", version, ["a", "b"])] == [
            b"1",
            b"2",
        ]
        assert sorted(p.name for p in (repo / "features/m").iterdir()) == ["a.parquet", "b.parquet"]
        status = subprocess.run(
            ["git", "status", "--porcelain"], cwd=repo, capture_output=True, check=True
        )
        assert status.stdout == b""

    def test_a_lock_in_the_name_of_a_living_process_is_not_believed(self, dvc_versions, dvc_root):
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
        held = (
            f'{{"write": {{"{dvc_root}/repo/features/m": {{"pid": {os.getppid()},'
            ' "cmd": "dvc add"}}, "read": {}}'
        )
        (dvc_root / "repo/.dvc/tmp/rwlock").write_text(held)
        assert dvc_versions.commit("m", {"b": file(b"2")}, "second")

    @pytest.mark.parametrize(
        ("step", "when"),
        [
            ("_create", "first"),
            ("_add", "first"),
            ("_add", "later"),
            ("_push", "later"),
            ("_write", "later"),
            ("_settled", "first"),
        ],
    )
    def test_a_writer_killed_after_any_step_is_made_up_for(
        self, dvc_versions, dvc_root, step, when
    ):
        if when == "later":
            dvc_versions.commit("m", {"a": file(b"1")}, "first")
        killed = finish_killed(start(KILLED, dvc_root, step))
        assert killed == -9
        version = dvc_versions.commit("m", {"c": file(b"3")}, "after")
        assert log(dvc_root)[0] == "after"
        assert [p.read_bytes() for p in dvc_versions.fetch("m", version, ["c"])] == [b"3"]
        assert set(dvc_versions.files("m")) - {"killed"} == (
            {"a", "c"} if when == "later" else {"c"}
        )
        assert not [p for p in dvc_root.iterdir() if p.name.startswith(".repo-")]

    @pytest.mark.slow
    def test_writers_killed_at_any_time_leave_whole_versions(self, dvc_versions, dvc_root):
        """Twelve kills, spread over the two tenths of a second that a commit takes once DVC is
        imported."""
        version = dvc_versions.commit("m", {"a": file(b"1")}, "first")
        for n in range(12):
            writer = start(WRITER, dvc_root, f"n{n}", 5)
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.02 * n)
            writer.kill()
            finish_killed(writer)
            files = dvc_versions.files("m")
            assert all(
                in_remote(dvc_root, f"{name}".encode()).is_file() for name in files if name != "a"
            )
            version = dvc_versions.commit(
                "m", {f"after{n}": file(f"after{n}".encode())}, f"after {n}"
            )
        for name, path in zip(
            dvc_versions.files("m"),
            dvc_versions.fetch("m", version, list(dvc_versions.files("m"))),
            strict=True,
        ):
            assert sha256(path.read_bytes()) == dvc_versions.files("m")[name].sha256

    def test_writers_in_several_processes_queue_up(self, dvc_versions, dvc_root):
        finish(*(start(WRITER, dvc_root, f"p{n}", 3) for n in range(3)))
        assert set(dvc_versions.files("m")) == {f"p{n}-{i}" for n in range(3) for i in range(3)}
        assert len(log(dvc_root)) == 10

    def test_writers_in_several_threads_queue_up(self, dvc_versions):
        with ThreadPoolExecutor(4) as pool:
            list(
                pool.map(
                    lambda n: dvc_versions.commit("m", {f"t{n}": file(f"{n}".encode())}, "thread"),
                    range(6),
                )
            )
        assert set(dvc_versions.files("m")) == {f"t{n}" for n in range(6)}

    def test_parallel_readers_import_no_dvc(self, dvc_versions, dvc_root):
        version = dvc_versions.commit("m", {"a": file(b"1")}, "first")
        program = (
            "import sys, pathlib; from pipelines.refs import FeaturesVersion; from"
            " pipelines.versions.dvc import DvcVersions\n"
            "version = FeaturesVersion(revision=sys.argv[2], sha256=sys.argv[3])\n"
            "print(DvcVersions(pathlib.Path(sys.argv[1])).fetch('m', version,"
            " ['a'])[0].read_text(), 'dvc.repo' in sys.modules)"
        )
        assert (
            finish(*(start(program, dvc_root, version.revision, version.sha256) for _ in range(3)))
            == ["1 False\n"] * 3
        )


KILLED = """
import os, pathlib, signal, sys
from pipelines.refs import sha256
from pipelines.versions import dvc

def killed(call):
    def and_then(*arguments, **named):
        call(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    return and_then

versions = dvc.DvcVersions(pathlib.Path(sys.argv[1]), lock_timeout=60)
if sys.argv[2] == '_settled':
    versions._git.commit = killed(lambda paths, message: versions._git._run('add', '--', *paths))
else:
    setattr(versions, sys.argv[2], killed(getattr(versions, sys.argv[2])))
data = b'killed'
file = dvc.FeatureFile(key=sha256(b''), sha256=sha256(data), rows=1)
versions.commit('m', {'killed': (file, data)}, 'killed')
"""


def finish_killed(process):
    await_end(process)
    return process.returncode
