import os
import signal
import sys

import pytest

from pipelines.errors import Busy
from pipelines.locks import find_holder, hold, hold_bare, share
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


def test_a_program_that_inherits_a_lock_holds_it_until_it_ends(tmp_path):
    program = (
        "import pathlib, subprocess, sys; from pipelines.locks import hold\n"
        "with hold(pathlib.Path(sys.argv[1]), 'held', seconds=0) as lock:\n"
        "    heir = subprocess.Popen(['cat'], stdin=0, stdout=2, pass_fds=[lock])\n"
        "    print('ready', flush=True); heir.wait()"
    )
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb"):
        process = start(program, tmp_path / "lock", stdin=reading)
        os.close(reading)
        assert process.stdout.readline() == "ready\n", process.communicate()
        process.kill()
        process.wait(timeout=60)
        with pytest.raises(Busy), take(hold, tmp_path / "lock"):
            pass
    process.communicate(timeout=60)  # it ends when the heir has closed its stderr, too
    # An heir that ends closes its stderr before the lock, which may take it another moment.
    with hold(tmp_path / "lock", "The heir is at work.", seconds=60):
        pass


def test_several_share_a_lock_that_nobody_else_gets_meanwhile(tmp_path):
    path = tmp_path / "l.lock"
    with share(path, "x."), share(path, "x."), pytest.raises(Busy), hold(path, "y.", seconds=0):
        pass
    with hold(path, "y.", seconds=0):
        with pytest.raises(Busy, match=r"x\.") as error, share(path, "x."):
            pass
        assert error.value.remedy
    with share(path, "x."):
        pass
