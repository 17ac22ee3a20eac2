"""Garbage is not looked for while what stays is made, and is looked for again afterwards."""

from __future__ import annotations

import contextlib
import gc
import io
import subprocess
import sys
import weakref

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
