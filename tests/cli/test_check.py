"""`perennial check`: what it tries, what it warns of, what it names."""

import json
import re

import pytest

from pipelines.cli.check import _with_line
from pipelines.errors import SpecError
from pipelines.settings import Settings


def test_check_tries_everything_on_one_batch_and_keeps_nothing(command, world):
    done = command("check", "sales", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [f["check"] for f in json.loads(done.stdout)] == [
        "spec",
        "candidates",
        "schema",
        "source",
        "expectations",
        "features",
        "training",
    ]
    assert not (world.home / "var" / "store").exists()


def test_check_warns_where_performance_can_never_be_judged_and_where_the_gate_is_blind(
    command, world
):
    (blind,) = json.loads(command("check", "sales", "--json").stdout)[0]["detail"].split(
        "WARNING: "
    )[1:]
    assert (
        "a model that is far too sure, or shifted, can pass: add `guards: {log_loss: 0.05}`"
        in blind
    )
    world.respec("min_rows: 50", "min_rows: 50\n  guards: {log_loss: 0.5}")
    assert "WARNING" not in command("check", "sales", "--json").stdout
    world.respec("known_after: 1h", "known_after: 30d")
    done = command("check", "sales", "--json")
    spec = json.loads(done.stdout)[0]
    # The holdout of a day cannot outlast it either, which `train` would refuse.
    assert (done.returncode, spec["ok"]) == (65, True)
    assert (
        "WARNING: outcomes are known 30d after the event, later than this window of 1d"
        in spec["detail"]
    )


def test_check_names_a_package_that_cannot_be_had_with_its_line(command, world, monkeypatch):
    world.respec("task: binary", "task: binary\nrequires:\n  - pandas==1.5.3")
    found = json.loads((done := command("check", "sales", "--json")).stdout)[-1]
    assert (done.returncode, found["check"], found["ok"]) == (65, "packages", False)
    assert found["detail"].startswith(
        "models/sales/model.yaml:7: requires.0: pandas==1.5.3 conflicts with Perennial's lock"
    )
    world.respec("pandas==1.5.3", "pnnowhere==1.0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    found = json.loads((done := command("check", "sales", "--json")).stdout)[-1]
    assert (done.returncode, found["check"], found["ok"]) == (75, "packages", False)
    assert "The package index did not answer" in found["detail"]


def test_check_names_whole_numbers_that_become_the_same_in_float32(command, world):
    features = world.home / "models" / "sales" / "features.py"
    build = features.read_text()
    assert "float32" not in command("check", "sales", "--json").stdout
    features.write_text(build.replace("mutate(", "mutate(pages=_.at.epoch_seconds(), "))
    found = json.loads(command("check", "sales", "--json").stdout)[-2]
    assert (found["check"], found["ok"]) == ("features", True)
    assert "WARNING: a model is fed float32" in found["detail"]
    assert "of pages become the same" in found["detail"]


def test_check_names_a_text_that_hardly_ever_comes_twice(command, world):
    features = world.home / "models" / "sales" / "features.py"
    build = features.read_text()
    features.write_text(build.replace("mutate(", "mutate(channel=_.visit.cast('string'), ", 1))
    found = json.loads(command("check", "sales", "--json").stdout)[-2]
    assert (found["check"], found["ok"]) == ("features", True)
    assert "WARNING: nearly every row has its own text in channel" in found["detail"]


def test_check_takes_an_empty_batch_where_the_spec_allows_it(command, world):
    world.rewrite(7, world.frame(7).iloc[:0])
    assert command("check", "sales", "--json").returncode == 65
    world.respec("batch: day\n", "batch: day\nempty_batches: allow\n")
    done = command("check", "sales", "--json")
    assert done.returncode == 0, done.stdout
    assert "this batch is empty" in json.loads(done.stdout)[-1]["detail"]


@pytest.mark.parametrize(
    ("break_it", "check", "words", "code"),
    [
        pytest.param(
            lambda w: w.respec("owner: shop\n", ""), "spec", "owner: missing", 65, id="spec"
        ),
        pytest.param(
            lambda w: w.respec("{C: [0.1, 1.0]}", "{CC: [1]}"),
            "candidates",
            "CC",
            65,
            id="a parameter that is not there",
        ),
        pytest.param(lambda w: w.raw(7).unlink(), "source", "2024-01-08.csv", 75, id="source"),
        pytest.param(
            lambda w: w.raw(7).write_bytes(b"\xff"), "source", "is no utf-8", 65, id="unreadable"
        ),
        pytest.param(
            lambda w: w.rewrite(7, w.frame(7).assign(bought=9)),
            "expectations",
            "bought",
            65,
            id="expectations",
        ),
        pytest.param(
            lambda w: (w.home / "models" / "sales" / "features.py").write_text("x ="),
            "features",
            "SyntaxError",
            65,
            id="features",
        ),
    ],
)
def test_check_names_what_to_mend(command, world, break_it, check, words, code):
    break_it(world)
    done = command("check", "sales", "--json")
    last = json.loads(done.stdout)[-1]
    assert (last["check"], last["ok"], done.returncode) == (check, False, code)
    assert words in last["detail"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(
            "import os\nos._exit(0)",
            "ended with exit code 0 before there was a result",
            id="it ends its process",
        ),
        pytest.param(
            "import time\ntime.sleep(600)", "took longer than 3 s and was ended", id="it sleeps"
        ),
    ],
)
def test_check_says_what_the_users_code_did_to_its_process(command, world, code, words):
    (world.home / "models" / "sales" / "features.py").write_text(code)
    done = command("check", "sales", "--json", PERENNIAL_USER_CODE_TIMEOUT_SECONDS="3")
    last = json.loads(done.stdout)[-1]
    assert (last["check"], last["ok"], done.returncode) == ("features", False, 65)
    assert words in last["detail"]


def test_a_field_is_named_once_where_the_message_begins_with_it_and_a_file(world):
    message = "candidates.own (models/sales/model.py): ImportError: no LGBMClasifier."
    error = SpecError(message, at=("candidates", "own"))
    said = _with_line(Settings(home=world.home), "sales", error)
    assert re.fullmatch(rf"models/sales/model\.yaml:\d+: {re.escape(message)}", said), said
