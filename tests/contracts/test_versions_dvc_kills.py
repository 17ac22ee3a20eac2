"""Feature versions in git and DVC whose writers are killed, and repositories that a crash tore."""

import os
import shutil
import subprocess
import time

import pytest

from pipelines.errors import Busy, Corrupted
from pipelines.refs import sha256
from pipelines.versions.dvc import DvcVersions
from tests.contracts.dvc_repository import WRITER, file, in_remote, log
from tests.contracts.processes import await_end, start

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

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


def test_locks_and_indexes_torn_by_a_crash_are_mended(dvc_versions, dvc_root):
    dvc_versions.commit("m", {"a": file(b"1")}, "first")
    repo = dvc_root / "repo"
    for stale in (
        ".git/index.lock",
        ".git/HEAD.lock",
        ".git/packed-refs.new",
        ".git/objects/maintenance.lock",
        ".git/refs/heads/main.lock",
        ".dvc/tmp/lock",
        ".dvc/tmp/rwlock.lock",
    ):
        (repo / stale).write_text("torn")
    (repo / ".git/index").write_bytes(b"DIRC torn")
    (repo / ".dvc/tmp/rwlock").write_text('{"write": {"/')
    (repo / ".dvc/config").write_bytes(b"[co")
    (repo / "features/m.json").write_text("{")
    (repo / "features/m.dvc").unlink()
    (repo / "features/stray.json").write_text("{}")
    (repo / "features/m/stray.parquet").write_bytes(b"stray")
    (repo / "features/m/a.parquet").unlink()
    version = dvc_versions.commit("m", {"b": file(b"2")}, "second")
    assert set(dvc_versions.files("m")) == {"a", "b"}
    assert [p.read_bytes() for p in dvc_versions.fetch("m", version, ["a", "b"])] == [b"1", b"2"]
    assert sorted(p.name for p in (repo / "features/m").iterdir()) == ["a.parquet", "b.parquet"]
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=repo, capture_output=True, check=True
    )
    assert status.stdout == b""
    assert not [*(repo / ".git").rglob("*.lock"), *(repo / ".git").glob("*.new")]


INDEXES = {
    "empty": lambda whole: whole[:0],
    "cut off": lambda whole: whole[:10],
    "another signature": lambda whole: b"XXXX" + whole[4:],
    "another version": lambda whole: whole[:7] + b"\x09" + whole[8:],
    "garbage in the middle": lambda whole: whole[:40] + b"\xff" * 40 + whole[80:],
    "another checksum": lambda whole: whole[:-20] + b"\x01" * 20,
}


@pytest.mark.parametrize("tear", INDEXES.values(), ids=INDEXES)
def test_an_index_that_git_cannot_read_is_made_anew(dvc_versions, dvc_root, tear):
    dvc_versions.commit("m", {"a": file(b"1")}, "first")
    index = dvc_root / "repo" / ".git" / "index"
    index.write_bytes(tear(index.read_bytes()))
    version = dvc_versions.commit("m", {"b": file(b"2")}, "second")
    assert [p.read_bytes() for p in dvc_versions.fetch("m", version, ["a", "b"])] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("packed-refs", "garbage\n"),
        ("packed-refs", "0123456789abc"),
        ("HEAD", ""),
        ("HEAD", "x"),
        ("refs/heads/main", ""),
        ("refs/heads/main", "0123456789abc"),
    ],
)
def test_references_that_are_no_references_are_named(dvc_versions, dvc_root, place, content):
    """Git writes them whole or not at all: a failing disk has changed them, not a killed writer."""
    dvc_versions.commit("m", {"a": file(b"1")}, "first")
    (dvc_root / "repo" / ".git" / place).write_text(content)
    for call in (
        lambda: dvc_versions.files("m"),
        lambda: dvc_versions.commit("m", {"b": file(b"2")}, "second"),
    ):
        with pytest.raises(Corrupted, match="features' repository") as corrupted:
            call()
        assert "restore it from a backup" in corrupted.value.remedy


def test_a_git_whose_writer_was_killed_is_waited_for(dvc_versions, dvc_root, tmp_path):
    """It works on when its parent is gone; mending meanwhile would tear what it writes."""
    dvc_versions.commit("m", {"a": file(b"1")}, "first")
    begun, further = tmp_path / "begun", tmp_path / "further"
    os.mkfifo(begun)
    os.mkfifo(further)
    (tmp_path / "bin").mkdir()
    slow_git = tmp_path / "bin" / "git"
    slow_git.write_text(
        f'#!/bin/sh\ncase " $* " in *" commit "*) echo >{begun}; read -r _ <{further};; esac\n'
        f'exec {shutil.which("git")} "$@"\n'
    )
    slow_git.chmod(0o755)
    writer = start(WRITER, dvc_root, "n", 1, PATH=f"{slow_git.parent}:{os.environ['PATH']}")
    begun.read_text()
    writer.kill()
    assert finish_killed(writer) == -9
    with pytest.raises(Busy, match=str(dvc_root)):
        DvcVersions(dvc_root, lock_timeout=0.1).commit("m", {"b": file(b"2")}, "too early")
    further.write_text("\n")
    dvc_versions.commit("m", {"b": file(b"2")}, "second")
    assert log(dvc_root)[:3] == ["second", "n-0", "first"]
    assert set(dvc_versions.files("m")) == {"a", "n-0", "b"}


def test_a_lock_in_the_name_of_a_living_process_is_not_believed(dvc_versions, dvc_root):
    dvc_versions.commit("m", {"a": file(b"1")}, "first")
    held = (
        f'{{"write": {{"{dvc_root}/repo/features/m": {{"pid": {os.getppid()}, "cmd": "dvc add"}}}},'
        ' "read": {}}'
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
def test_a_writer_killed_after_any_step_is_made_up_for(dvc_versions, dvc_root, step, when):
    if when == "later":
        dvc_versions.commit("m", {"a": file(b"1")}, "first")
    killed = finish_killed(start(KILLED, dvc_root, step))
    assert killed == -9
    version = dvc_versions.commit("m", {"c": file(b"3")}, "after")
    assert log(dvc_root)[0] == "after"
    assert [p.read_bytes() for p in dvc_versions.fetch("m", version, ["c"])] == [b"3"]
    assert set(dvc_versions.files("m")) - {"killed"} == ({"a", "c"} if when == "later" else {"c"})
    assert not [p for p in dvc_root.iterdir() if p.name.startswith(".repo-")]


@pytest.mark.slow
def test_writers_killed_at_any_time_leave_whole_versions(dvc_versions, dvc_root):
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
        version = dvc_versions.commit("m", {f"after{n}": file(f"after{n}".encode())}, f"after {n}")
    for name, path in zip(
        dvc_versions.files("m"),
        dvc_versions.fetch("m", version, list(dvc_versions.files("m"))),
        strict=True,
    ):
        assert sha256(path.read_bytes()) == dvc_versions.files("m")[name].sha256
