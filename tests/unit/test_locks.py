import os
import signal
import sys

import pytest

from pipelines.errors import Busy
from pipelines.locks import find_holder, hold, hold_bare
from tests.contracts.processes import start

HOLDER = """
import pathlib, sys, time
from pipelines import locks
with getattr(locks, sys.argv[2])(pathlib.Path(sys.argv[1]), "held", seconds=0, remedy="wait"):
    print("ready", flush=True)
    time.sleep(60)
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc/locks is Linux's")


def take(kind, path):
    return kind(path, "Another one is at work.", seconds=0, remedy="wait for it.")


@pytest.fixture(params=["hold", "hold_bare"])
def holder(request, tmp_path):
    """A process that has the lock, and the lock's path."""
    process = start(HOLDER, tmp_path / "folder" / "lock", request.param)
    assert process.stdout.readline() == "ready\n", process.communicate()
    yield process, tmp_path / "folder" / "lock"
    process.kill()
    process.communicate()


@linux
@pytest.mark.parametrize("kind", [hold, hold_bare])
def test_whoever_does_not_get_a_lock_is_told_who_has_it(holder, kind):
    process, path = holder
    with pytest.raises(Busy) as busy, take(kind, path):
        pass
    assert busy.value.message.startswith(
        f"Another one is at work. The lock is held by process {process.pid} ("
    )
    assert busy.value.remedy == "wait for it."


@pytest.mark.parametrize("kind", [hold, hold_bare])
def test_the_lock_of_a_killed_process_is_free(holder, kind):
    process, path = holder
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    with take(kind, path):
        pass
    assert path.exists()


@pytest.mark.parametrize("kind", [hold, hold_bare])
def test_a_lock_that_was_let_go_is_free_and_its_folder_is_its_owners(tmp_path, kind):
    path = tmp_path / "new" / "lock"
    for _ in range(2):
        with take(kind, path):
            assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (
                0o700,
                0o600,
            )
    assert find_holder(path) == ""


@linux
def test_a_holder_of_ones_own_is_told_too(tmp_path):
    with take(hold, tmp_path / "lock"):
        assert find_holder(tmp_path / "lock").startswith(f"process {os.getpid()} (")
        with pytest.raises(Busy), take(hold, tmp_path / "lock"):
            pass
    assert find_holder(tmp_path / "no lock") == ""


def test_only_a_reentrant_lock_is_held_twice_by_one_thread(tmp_path):
    def again():
        return hold(tmp_path / "lock", "held", seconds=0, reentrant=True)

    with again():
        with again():
            pass
        with pytest.raises(Busy), take(hold_bare, tmp_path / "lock"):
            pass
    with take(hold_bare, tmp_path / "lock"):
        pass
