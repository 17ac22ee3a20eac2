"""Which version gave an answer, and why that one served."""

from __future__ import annotations

import msgspec
import pytest

from pipelines.answers.lineage import resting_on
from pipelines.answers.predictions import why_prediction, with_predictions
from pipelines.answers.words import say_row
from pipelines.errors import RequestError
from pipelines.store.memory import MemoryStore
from tests.unit.answers.records import BUNDLE, judged
from tests.unit.inference_log import logs

ROWS = ((1.5, "UA"), (2.5, "\x1b[2J"))


@pytest.fixture
def store():
    """Two requests to version 1, of which one row has its label, and one to version 9."""
    store = MemoryStore()
    header, labels = (
        msgspec.structs.replace(h, model="sales") for h in (logs.predictions(), logs.LABELS)
    )
    asked = [logs.answered("r1", 1, rows=ROWS), logs.answered("r2", 2)]
    logs.write(store, "1", header, *asked)
    unknown = msgspec.structs.replace(header, version="9", release=9)
    logs.write(store, "2", unknown, logs.answered("r3", 3))
    logs.write(store, "1", labels, logs.labelled("r:r1#1", 1.0, 9))
    return store


def test_a_request_is_told_with_inputs_labels_and_why(store):
    answer = why_prediction(judged(store), store, "sales", "r1")
    assert [(r.row, r.version, r.release, r.prediction) for r in answer.rows] == [
        (0, "1", 1, 0.25),
        (1, "1", 1, 0.25),
    ]
    assert [r.label for r in answer.rows] == [None, 1.0]
    assert answer.rows[0].inputs == {"distance": 1.5, "carrier": "UA"}
    assert [(o.version, o.training.seed) for o in answer.why] == [("1", 7)]
    assert ("label", "none came") in say_row(answer.rows[0])


def test_a_label_told_by_request_is_that_of_its_row_also_where_rows_have_keys(store):
    """A host that did not know the row could not write the label under its key."""
    header, labels = (
        msgspec.structs.replace(h, model="sales") for h in (logs.predictions(), logs.LABELS)
    )
    logs.write(store, "3", header, logs.answered("r4", 4, rows=ROWS, keys=["k1", "r:r4#0"]))
    told = [logs.labelled("r:r4#1", 1.0, 9), logs.labelled("k:k1", 0.0, 9)]
    logs.write(store, "3", labels, *told)
    answer = why_prediction(judged(store), store, "sales", "r4")
    assert [r.label for r in answer.rows] == [0.0, 1.0]


def test_a_version_that_the_ledger_does_not_know_is_named(store):
    answer = why_prediction(judged(store), store, "sales", "r3")
    assert (answer.why, answer.unknown) == ([], ["9"])


@pytest.mark.parametrize("request_id", ["nobody", "", "\x00", "\udcff", "r1#0", "x" * 9_000])
def test_a_request_that_is_not_in_the_log_is_named(store, request_id):
    with pytest.raises(RequestError, match="holds no request"):
        why_prediction(judged(store), store, "sales", request_id)


def test_predictions_that_rest_on_a_batch_are_counted(store):
    resting = resting_on(judged(store), store, "sales", BUNDLE.sha256)
    assert (resting.predictions, resting.rows) == (None, None)
    found = with_predictions(store, resting)
    assert (found.predictions, found.rows) == ({"1": 3}, None)
    named = with_predictions(store, resting, named=True).rows
    assert [(r.request_id, r.row, r.version) for r in named] == [
        ("r1", 0, "1"),
        ("r1", 1, "1"),
        ("r2", 0, "1"),
    ]


def test_what_cannot_be_read_of_the_log_is_told(store):
    name = next(iter(store.segments("inference/sales/predictions")))
    logs.damage(store, name, logs.place(store, name, 2) + 20)
    assert why_prediction(judged(store), store, "sales", "r1").damage
    with pytest.raises(RequestError, match="1 part of it could not be read"):
        why_prediction(judged(store), store, "sales", "r2")
