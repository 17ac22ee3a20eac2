"""Joining labels: late, once, without double counting, whatever clocks and callers do."""

from datetime import timedelta

import pyarrow as pa
import pytest

from pipelines.errors import BadData
from pipelines.inference_log.join import join_labels
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.store.memory import MemoryStore
from tests.unit.inference_log.logs import (
    LABELS,
    MODEL,
    answered,
    labelled,
    moment,
    predictions,
    write,
)


def join(records, labels=(), header=None, **more):
    store = MemoryStore()
    write(store, "1", header or predictions(), *records)
    write(store, "1", LABELS, *labels)
    return join_labels(read_log(store, MODEL), read_labels(store, MODEL), **more)


def asked(key, minutes, *, answer=0.25, event=None):
    """Return one prediction of a row with a key."""
    return answered(
        f"{key}@{minutes}",
        minutes,
        keys=[key],
        answers=[answer],
        events=None if event is None else [event],
    )


def said(result):
    """Return label and its origin by identity."""
    columns = ("identity", "label", "label_from")
    return {
        i: (label, where)
        for i, label, where in zip(*(result.rows[c].to_pylist() for c in columns), strict=True)
    }


def source(**labels):
    return pa.table({"identity": [f"k:{k}" for k in labels], "label": list(labels.values())})


def test_labels_meet_their_rows_and_the_rest_is_unlabelled():
    result = join(
        [asked("a", 1), asked("b", 2), answered("r", 3)],
        [labelled("k:a", 1.0, 5), labelled("r:r#0", 0.0, 6), labelled("k:x", 1.0, 6)],
    )
    assert said(result) == {
        "k:a": (1.0, "feedback"),
        "k:b": (None, None),
        "r:r#0": (0.0, "feedback"),
    }
    counts = result.counts
    assert (
        counts.predicted,
        counts.rows,
        counts.duplicates,
        counts.labelled,
        counts.after_label,
    ) == (3, 3, 0, 2, 0)
    assert counts.coverage == pytest.approx(2 / 3)


def test_nothing_at_all():
    store = MemoryStore()
    result = join_labels(
        read_log(store, MODEL), read_labels(store, MODEL), source=source(a=1.0), known_by=moment(0)
    )
    assert (
        result.rows.num_rows,
        result.counts.predicted,
        result.counts.labelled,
        result.counts.coverage,
    ) == (0, 0, 0, 0.0)
    assert result.rows.schema.names[-2:] == ["label", "label_from"]


def test_duplicated_traffic_counts_once_with_the_last_answer():
    result = join(
        [
            asked("a", 1, answer=0.1),
            asked("b", 2),
            asked("a", 3, answer=0.3),
            asked("a", 2, answer=0.2),
        ],
        [labelled("k:a", 1.0, 9)],
    )
    assert result.rows["identity"].to_pylist() == ["k:b", "k:a"]
    assert result.rows["prediction"].to_pylist() == [0.25, 0.3]
    counts = result.counts
    assert (counts.predicted, counts.rows, counts.duplicates, counts.labelled) == (4, 2, 2, 1)


def test_of_two_answers_in_one_microsecond_the_one_further_down_counts():
    result = join([asked("a", 1, answer=0.1), asked("a", 1, answer=0.2)])
    assert result.rows["prediction"].to_pylist() == [0.2]


def test_who_asks_again_after_the_outcome_changes_nothing():
    result = join(
        [asked("a", 1, answer=0.1), asked("a", 9, answer=0.99)], [labelled("k:a", 1.0, 5)]
    )
    assert result.rows["prediction"].to_pylist() == [0.1]
    assert said(result) == {"k:a": (1.0, "feedback")}
    assert (result.counts.after_label, result.counts.duplicates, result.counts.labelled) == (
        1,
        1,
        1,
    )


def test_a_label_before_its_first_prediction_labels_nothing():
    result = join([asked("a", 6), asked("a", 7)], [labelled("k:a", 1.0, 5)], source=source(a=1.0))
    assert said(result) == {"k:a": (None, None)}
    assert (result.counts.after_label, result.counts.rows, result.counts.labelled) == (2, 1, 0)


def test_a_server_clock_that_goes_back_is_defined_and_counted():
    """The second answer bears an earlier time: the first one counts as the last.

    The label that seems too early counts nothing.
    """
    result = join([asked("a", 10, answer=0.1), asked("a", 4, answer=0.2)])
    assert (result.rows["prediction"].to_pylist(), result.counts.duplicates) == ([0.1], 1)
    result = join([asked("a", 10)], [labelled("k:a", 1.0, 4)])
    assert (said(result)["k:a"], result.counts.after_label, result.counts.labelled) == (
        (None, None),
        1,
        0,
    )


def test_events_far_ahead_are_counted_once_per_row():
    day = 24 * 60
    result = join(
        [
            asked("a", 0, event=day),
            asked("b", 0, event=day + 1),
            asked("b", 1, event=day + 2),
            asked("c", 0, event=-9 * day),
        ]
    )
    assert result.counts.ahead == 0 + 1
    assert result.counts.rows == 3


def test_a_forecast_may_lie_its_horizon_ahead():
    day = 24 * 60
    rows = [asked("a", 0, event=3 * day), asked("b", 0, event=3 * day + 1)]
    assert join(rows).counts.ahead == 2
    assert join(rows, horizon=timedelta(days=2)).counts.ahead == 1


def test_a_label_given_twice_counts_once():
    result = join(
        [asked("a", 1)], [labelled("k:a", 1.0, 5), labelled("k:a", 1.0, 6), labelled("k:a", 0.0, 7)]
    )
    assert (said(result)["k:a"], result.counts.labelled) == ((1.0, "feedback"), 1)


def test_the_source_fills_what_feedback_left_open():
    result = join(
        [asked("a", 1), asked("b", 1), asked("c", 1)],
        [labelled("k:a", 1.0, 5)],
        source=source(a=0.0, b=1.0, x=1.0),
    )
    assert said(result) == {"k:a": (1.0, "feedback"), "k:b": (1.0, "source"), "k:c": (None, None)}
    assert (result.counts.contradicting, result.counts.labelled) == (1, 2)


def test_of_several_rows_of_the_source_the_last_counts_and_null_is_none():
    table = pa.table(
        {"identity": ["k:a", "k:a", "k:a", "k:b"], "label": [0.0, 1.0, None, float("nan")]}
    )
    assert said(join([asked("a", 1), asked("b", 1)], source=table)) == {
        "k:a": (1.0, "source"),
        "k:b": (None, None),
    }


@pytest.mark.parametrize("labels", [[1, 0], [True, False], [1.0, 0.0]])
def test_the_source_speaks_in_its_own_type(labels):
    table = pa.table({"identity": ["k:a", "k:b"], "label": labels})
    result = join([asked("a", 1), asked("b", 1)], source=table)
    assert result.rows["label"].to_pylist() == [1.0, 0.0]


def test_only_labels_that_were_known_by_then_count():
    rows = [asked("a", 100, event=10), asked("b", 100, event=11), asked("c", 100, event=10)]
    result = join(
        rows,
        [labelled("k:c", 1.0, 200)],
        source=source(a=1.0, b=1.0),
        known_by=moment(70),
        known_after=timedelta(hours=1),
    )
    assert said(result) == {"k:a": (1.0, "source"), "k:b": (None, None), "k:c": (1.0, "feedback")}
    assert result.counts.labelled == 2
    early = join(
        rows,
        [labelled("k:c", 1.0, 200)],
        source=source(a=1.0),
        known_by=moment(69),
        known_after=timedelta(hours=1),
    )
    assert early.counts.labelled == 0


def test_classes_are_texts():
    header = predictions(task="multiclass", classes=("1", "2"))
    result = join(
        [asked("a", 1, answer=[0.9, 0.1]), asked("b", 1, answer=[0.2, 0.8])],
        [labelled("k:a", "2", 3)],
        header,
        source=source(a=1, b=2),
    )
    assert said(result) == {"k:a": ("2", "feedback"), "k:b": ("2", "source")}
    assert result.counts.contradicting == 1


def test_a_text_for_a_number_is_named():
    with pytest.raises(BadData, match=r"no number: .*red"):
        join([asked("a", 1)], [labelled("k:a", "red", 3)])
    assert join([asked("a", 1)], [labelled("k:elsewhere", "red", 3)]).counts.labelled == 0


def test_what_could_not_be_read_is_counted():
    store = MemoryStore()
    write(store, "1", predictions(), asked("a", 1), tail=b"torn")
    write(store, "1", LABELS, tail=b"00000000{}\ntorn")
    counts = join_labels(read_log(store, MODEL), read_labels(store, MODEL)).counts
    assert (counts.torn, counts.damaged) == (2, 1)
