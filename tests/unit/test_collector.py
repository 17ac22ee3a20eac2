"""Garbage is not looked for while what stays is made, and is looked for again afterwards."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from pipelines.collector import load_for_good, paused_collection


class Node:
    """One that holds itself: only the collector finds it."""

    def __init__(self) -> None:
        self.own = self


def made_and_dropped() -> weakref.ref[Node]:
    return weakref.ref(Node())


def test_nothing_is_looked_for_within_and_all_is_afterwards():
    with paused_collection():
        assert not gc.isenabled()
        gone = made_and_dropped()
        for _ in range(5_000):
            made_and_dropped()
        assert gone() is not None
    assert gc.isenabled()
    gc.collect()
    assert gone() is None


def test_what_was_made_for_good_is_not_looked_through_again():
    frozen = gc.get_freeze_count()
    with paused_collection(for_good=True):
        stays = made_and_dropped()
    try:
        assert gc.get_freeze_count() > frozen
        gc.collect()
        assert stays() is not None
    finally:
        gc.unfreeze()
        gc.collect()
        if frozen:
            gc.freeze()  # the tests themselves, which nobody should look through again
    assert stays() is None


def test_within_another_the_outer_one_decides():
    with paused_collection():
        with paused_collection(for_good=True):
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_within_leaves_it_on():
    with pytest.raises(KeyError), paused_collection():
        raise KeyError
    assert gc.isenabled()


def test_only_the_first_loading_is_for_good():
    sys.modules.pop("this", None)
    frozen = gc.get_freeze_count()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            loaded = load_for_good("this")
        assert loaded is sys.modules["this"]
        first = gc.get_freeze_count()
        assert first > frozen
        stays = [[] for _ in range(1_000)]
        assert load_for_good("this") is loaded
        assert gc.get_freeze_count() <= first, "what came since is looked through"
        assert len(stays) == 1_000
    finally:
        gc.unfreeze()
        if frozen:
            gc.freeze()


@pytest.mark.slow
def test_at_the_end_nothing_is_left_that_a_library_would_call_a_leak():
    code = """
from pipelines.collector import load_for_good
load_for_good("duckdb").connect().execute("SELECT 1").fetchall()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


ENDING = """
import atexit, os, sys, threading, time, weakref
from concurrent.futures import ThreadPoolExecutor
from pipelines.collector import end_process

class Kept:
    def __del__(self):
        os.write(2, b"taken apart")

kept = Kept()
kept.itself = kept
finalizer = weakref.finalize(kept, print, "finalized")
atexit.register(print, "at exit")
pool = ThreadPoolExecutor(1)
pool.submit(lambda: (time.sleep(0.2), print("in a pool")))
threading.Thread(target=lambda: (time.sleep(0.3), print("in a thread"))).start()
sys.stdout.write("unflushed\\n")
end_process(65)
"""


UNWRITTEN = """
import sys
from pipelines.collector import end_process
sys.stdout.write("unflushed")
end_process(0)
"""


def ended(code: str, stdout) -> subprocess.CompletedProcess[str]:
    """Run the code, which keeps what it writes until its end."""
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", code]
    streams = {"stdout": stdout, "stderr": subprocess.PIPE}
    return subprocess.run(command, **streams, env=environ, text=True, check=False)


@pytest.mark.slow
def test_a_process_ends_when_all_is_done_and_takes_nothing_apart():
    done = ended(ENDING, subprocess.PIPE)
    assert (done.returncode, done.stderr) == (65, "")
    first, *others = done.stdout.splitlines()
    assert (first, sorted(others)) == (
        "unflushed",
        ["at exit", "finalized", "in a pool", "in a thread"],
    )


@pytest.mark.slow
def test_a_process_whose_output_cannot_be_written_says_so():
    with Path("/dev/full").open("wb") as full:
        done = ended(UNWRITTEN, full)
    assert done.returncode == 120
    assert "No space left on device" in done.stderr
