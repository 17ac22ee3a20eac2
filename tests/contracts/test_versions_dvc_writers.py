"""Feature versions in git and DVC: writers beside each other, and writers that are killed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from pipelines.errors import Busy
from pipelines.versions.dvc import DvcVersions
from tests.contracts.dvc_repository import WRITER, file, log
from tests.contracts.processes import finish, start

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
