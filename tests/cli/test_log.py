"""`perennial log`: what was asked and answered, as a table and as lines of JSON."""

import json

import msgspec
import pytest

from pipelines.store.local import LocalStore
from tests.cli.commands import run_here, run_process
from tests.unit.inference_log import logs
from tests.unit.inference_log.logs import answered, labelled, write


@pytest.fixture
def store(world):
    return LocalStore(world.home / "var" / "store")


@pytest.fixture
def traffic(store):
    """Four answers of three events, two of them labelled, and a line that was never finished."""
    predictions, labels = (
        msgspec.structs.replace(h, model="sales")
        for h in (logs.predictions(version="3"), logs.LABELS)
    )
    twice = [
        answered("r2", 2, keys=["b"], answers=[0.5]),
        answered("r3", 3, keys=["b"], answers=[0.625]),
    ]
    write(
        store, "1", predictions, answered("r1", 1, keys=["a"], events=[-60]), *twice, tail=b"012345"
    )
    write(store, "2", predictions, answered("r4", 4), close=True)
    write(store, "1", labels, labelled("k:a", 1.0, 9), labelled("r:r4#0", 0.0, 9))


@pytest.fixture
def log(world):
    return lambda *arguments: run_here(world, ("log", *arguments), COLUMNS="200")


def lines(result):
    assert result.returncode == 0, result.stderr
    *rows, last = [json.loads(text) for text in result.stdout.splitlines()]
    return rows, last


def test_help_teaches(log):
    text = " ".join(log("--help").stdout.split())
    for word in (
        "--since",
        "--until",
        "--labels",
        "--rotate",
        "--limit",
        "feedback",
        "personal ones hashed or left out",
    ):
        assert word in text


def test_programs_get_a_line_per_row_and_the_counts_at_last(world, traffic):
    rows, last = lines(run_process(world, ("log", "sales", "--json")))
    assert [r["request_id"] for r in rows] == ["r1", "r2", "r3", "r4"]
    assert rows[0] == {
        "request_id": "r1",
        "row": 0,
        "at": "2026-03-01T00:01:00Z",
        "key": "a",
        "event_time": "2026-02-28T23:00:00Z",
        "identity": "k:a",
        "version": "3",
        "release": 3,
        "seconds": 0.001,
        "prediction": 0.25,
        "probabilities": None,
        "inputs": {"distance": 1.5, "carrier": "UA"},
    }
    assert last == {"counts": {"predicted": 4, "torn": 1, "damaged": 0}, "damage": []}


def test_with_labels_each_event_stands_once_with_its_coverage(log, traffic):
    rows, last = lines(log("sales", "--labels", "--json", "--since", "2026-03-01"))
    assert [(r["identity"], r["prediction"], r["label"], r["label_from"]) for r in rows] == [
        ("k:b", 0.625, None, None),
        ("r:r4#0", 0.25, 0.0, "feedback"),
    ]
    counts = last["counts"]
    assert (
        counts["predicted"],
        counts["rows"],
        counts["duplicates"],
        counts["labelled"],
        counts["coverage"],
    ) == (3, 2, 1, 1, 0.5)
    rows, _ = lines(log("sales", "--labels", "--json", "--until", "2026-03-01"))
    assert [(r["identity"], r["label"]) for r in rows] == [("k:a", 1.0)]


def test_people_get_a_table_and_what_was_counted_in_words(log, traffic):
    result = log("sales", "--labels", "--limit", "2")
    assert result.returncode == 0, result.stderr
    assert "the newest 2 of 3" in result.stdout
    assert "k:a" not in result.stdout
    text = " ".join(result.stdout.split())
    assert (
        "4 rows were answered: 3 events, 1 asked again; 2 are labelled (66.7%); lines never"
        " finished (a process was killed): 1." in text
    )


def test_rotation_changes_nothing_that_is_shown(log, traffic, store):
    before = lines(log("sales", "--json"))
    result = log("sales", "--rotate", "--json")
    assert json.loads(result.stdout) == {"model": "sales", "entries": 2, "rows": 6, "segments": 3}
    assert store.segments("inference/sales/predictions") == []
    assert lines(log("sales", "--json")) == before
    assert "Nothing to rotate" in log("sales", "--rotate").stdout


def test_damage_is_named(log, traffic, store):
    name = store.segments("inference/sales/predictions")[1]
    logs.damage(store, name, logs.place(store, name, 1) + 15)
    result = log("sales")
    assert result.returncode == 0
    assert f"segment {name}, byte {logs.place(store, name, 1)}" in result.stdout.replace("\n", " ")


def test_a_model_without_traffic_says_so(log):
    result = log("sales", "--labels")
    assert (result.returncode, result.stdout) == (
        0,
        "0 rows were answered: 0 events, 0 asked again; 0 are labelled (0.0%).\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(
            ["sales", "--since", "yesterday"],
            65,
            "--since 'yesterday' is no moment",
            id="no moment",
        ),
        pytest.param(["../../etc"], 65, "There is no models/../../etc", id="a path for a name"),
        pytest.param(["sales", "--limit", "-1"], 64, "--limit", id="a limit below zero"),
        pytest.param([], 64, "Missing argument", id="no model"),
    ],
)
def test_wrong_usage_is_named(log, arguments, code, words):
    result = log(*arguments)
    assert result.returncode == code
    assert words in result.stderr
