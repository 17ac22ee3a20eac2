"""A server for the time of a judgement: whatever it does, there is an answer, and it is ended."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pipelines.judging.server_answers import Caller, encode_body
from pipelines.judging.trial_server import NotMeasured, running_server
from pipelines.refs import Ref
from pipelines.settings import Settings
from tests.unit.judging.odd_servers import odd_program

REF = Ref(uri="objects/ab/" + "a" * 64 + ".json", sha256="a" * 64)
BODY = encode_body(row={"a": 1})


@pytest.fixture
def context(tmp_path):
    """What a server needs of a step's context."""
    return SimpleNamespace(settings=Settings(home=tmp_path), environment=None)


def start(context, how, **limits):
    limits = {"start_seconds": 20.0, "most_seconds": 60.0} | limits
    return running_server(context, program=odd_program(how), **limits)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("ends", "ended with exit code 3; its last words: no disk is left"),
        ("silent", "did not answer within 0.5 s"),
        ("drips health", "did not answer within 0.5 s"),
        ("unwell", "did not answer within 0.5 s"),
    ],
)
def test_a_server_that_does_not_start_is_named_and_ended(context, how, words):
    limit = 20.0 if how == "ends" else 0.5
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(NotMeasured, match=words), start(context, how, start_seconds=limit):
        raise AssertionError("nobody answers")
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("refuses", "refused the model: it is no model"),
        ("never", "did not serve the model within 0.3 s"),
        ("speaks otherwise", "did not serve the model within 0.3 s"),
    ],
)
def test_a_model_that_is_not_served_is_named(context, how, words):
    with start(context, how) as server, pytest.raises(NotMeasured, match=words):
        server.serve(REF, "visits", "1", 0.3)


def ask(context, how, **limits):
    with start(context, how, **limits) as server, Caller(server, "visits", 1, 20) as caller:
        return caller.ask(BODY).predictions(1)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no http", "answers no more"),
        ("no json", "makes no sense"),
        ("NaN", "makes no sense"),
        ("deep", "makes no sense"),
        ("huge number", "makes no sense"),
        ("no predictions", "makes no sense"),
        ("two predictions", "something else than it was asked"),
        ("another release", "something else than it was asked"),
        ("endless", "does not end"),
        ("moved", "answers 302, and does not say why in words"),
        ("fails", "answers 500: the model failed"),
        ("fails in silence", "answers 500, and does not say why in words"),
        ("dies", "ended with exit code 4; its last words: out of luck"),
        ("hangs up and dies", "ended with exit code 1; its last words: out of breath"),
    ],
)
def test_an_answer_that_makes_no_sense_is_none(context, how, words):
    with pytest.raises(NotMeasured, match=words):
        ask(context, how)


@pytest.mark.parametrize("how", ["hangs", "drips"])
def test_a_server_that_keeps_one_waiting_is_ended(context, how):
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(NotMeasured, match=r"was not done after 1 s, and was ended"):
        ask(context, how, most_seconds=1.0)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_what_makes_sense_is_read(context):
    assert ask(context, "well") == [0.25]
    assert ask(context, "labelled") == ["rare"]


def test_what_a_server_started_ends_with_it(context):
    with start(context, "well") as server:
        (child,) = psutil.Process(server.process.pid).children()
    _await(partial(_is_gone, child))
    assert server.process.poll() is not None
    assert not server.folder.exists()


OWNER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from pipelines.judging.trial_server import running_server
from pipelines.settings import Settings

context = SimpleNamespace(settings=Settings(home=Path(sys.argv[1])), environment=None)
with running_server(context) as server:
    print(server.process.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_gate_that_is_killed_leaves_no_server(tmp_path):
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as owner:
        server = psutil.Process(int(owner.stdout.readline()))
        assert server.is_running()
        owner.kill()
    _await(partial(_is_gone, server))


def _is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _await(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it still runs")
