"""A rebuild's folder is its own, and gone afterwards, however the rebuild ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.ops.prune.files import abandoned_rebuilds
from pipelines.rebuilding.folders import find_abandoned, rebuild_folder
from pipelines.settings import Settings

WORK = """
import sys, time
from pathlib import Path
from pipelines.rebuilding.folders import rebuild_folder
from pipelines.settings import Settings
with rebuild_folder(Settings(home=Path(sys.argv[1]), state=Path(sys.argv[1]))) as folder:
    (folder / "rows").write_text("somebody's")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, state=tmp_path)


@pytest.fixture
def at_work(settings):
    """Another process at work in a folder of its own, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, str(settings.state)], stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_folder_is_private_and_gone_afterwards_also_after_an_error(settings):
    folders = []
    with pytest.raises(RuntimeError):
        _fail_in(settings, folders)
    assert not folders[0].exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def _fail_in(settings, folders):
    with rebuild_folder(settings) as folder:
        folders.append(folder)
        (folder / "rows").write_text("somebody's")
        assert folder.stat().st_mode & 0o077 == 0
        raise RuntimeError


def test_two_at_once_have_each_their_own_and_neither_is_taken_for_abandoned(settings, at_work):
    _, theirs = at_work
    with rebuild_folder(settings) as ours:
        assert ours != theirs
        assert find_abandoned(settings) == []
        assert list(abandoned_rebuilds(settings)) == []
    assert (theirs / "rows").is_file()


def test_what_a_killed_one_leaves_is_found_and_the_next_one_removes_it(settings, at_work):
    process, theirs = at_work
    process.kill()
    process.wait()
    assert find_abandoned(settings) == [theirs]
    (leftover,) = abandoned_rebuilds(settings)
    assert (leftover.kind, leftover.bytes) == ("killed rebuild", len("somebody's"))
    with rebuild_folder(settings):
        assert not theirs.exists()
    assert leftover.remove() is False


def test_prune_removes_what_a_killed_one_leaves(settings, at_work):
    process, theirs = at_work
    process.kill()
    process.wait()
    assert [leftover.remove() for leftover in abandoned_rebuilds(settings)] == [True]
    assert not theirs.exists()


def test_sigterm_ends_one_in_order(settings, at_work):
    process, theirs = at_work
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert not theirs.exists()


def test_a_link_among_the_folders_is_nobodys(settings, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with rebuild_folder(settings) as folder:
        (folder.parent / "link").symlink_to(elsewhere)
    assert find_abandoned(settings) == []
    assert elsewhere.is_dir()
