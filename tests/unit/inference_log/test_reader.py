"""Reading the log: what comes back."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.inference_log.format import LoggedColumn, identity, line
from pipelines.inference_log.reader import OURS, read_labels, read_log
from tests.unit.inference_log.logs import (
    LABELS,
    MODEL,
    answered,
    damage,
    ids,
    labelled,
    micros,
    moment,
    place,
    predictions,
    write,
)


def test_rows_come_back_as_they_were_written(store):
    many = answered(
        "b",
        5,
        rows=[(2.0, "AA"), (None, None)],
        answers=[0.5, 0.75],
        keys=["k1", None],
        events=[10, 11],
    )
    write(store, "1", predictions(version="7"), answered("a", 1), many)
    rows = read_log(store, MODEL).rows
    assert rows.schema.names == [*OURS.names, "input.distance", "input.carrier"]
    assert rows.schema.field("prediction").type == pa.float64()
    assert rows.select(
        [
            "request_id",
            "row",
            "key",
            "version",
            "release",
            "prediction",
            "input.distance",
            "input.carrier",
        ]
    ).to_pylist() == [
        {
            "request_id": "a",
            "row": 0,
            "key": None,
            "version": "7",
            "release": 7,
            "prediction": 0.25,
            "input.distance": 1.5,
            "input.carrier": "UA",
        },
        {
            "request_id": "b",
            "row": 0,
            "key": "k1",
            "version": "7",
            "release": 7,
            "prediction": 0.5,
            "input.distance": 2.0,
            "input.carrier": "AA",
        },
        {
            "request_id": "b",
            "row": 1,
            "key": None,
            "version": "7",
            "release": 7,
            "prediction": 0.75,
            "input.distance": None,
            "input.carrier": None,
        },
    ]
    assert rows["at"].to_pylist() == [moment(1), moment(5), moment(5)]
    assert rows["event_time"].to_pylist() == [moment(1), moment(10), moment(11)]
    assert rows["identity"].to_pylist() == [
        identity(None, "a", 0),
        identity("k1", "b", 0),
        identity(None, "b", 1),
    ]
    assert rows["probabilities"].null_count == 3


def test_kinds_keep_their_types(store):
    columns = [LoggedColumn(k, k) for k in ("number", "integer", "boolean", "string")]
    write(
        store,
        "1",
        predictions(columns=tuple(columns)),
        answered("a", rows=[(3, 4.0, True, "x"), (None, None, None, None)]),
    )
    rows = read_log(store, MODEL).rows
    assert [rows.schema.field(f"input.{k.kind}").type for k in columns] == [
        pa.float64(),
        pa.int64(),
        pa.bool_(),
        pa.string(),
    ]
    assert rows["input.integer"].to_pylist() == [4, None]


def test_a_whole_number_beyond_64_bits_makes_its_column_one_of_numbers(store):
    write(
        store,
        "1",
        predictions(columns=(LoggedColumn("i", "integer"),)),
        answered("a", rows=[(5.0,)]),
    )
    write(
        store,
        "2",
        predictions(columns=(LoggedColumn("i", "integer"),)),
        answered("b", rows=[(1e30,)]),
    )
    log = read_log(store, MODEL)
    assert log.rows["input.i"].to_pylist() == [5.0, 1e30]
    assert not log.damage


def test_a_model_without_traffic_has_an_empty_log(store):
    log, labels = read_log(store, MODEL), read_labels(store, MODEL)
    assert (log.rows.num_rows, log.rows.schema.names, labels.table.num_rows) == (0, OURS.names, 0)


def test_a_segment_of_a_header_alone_has_no_rows_but_columns(store):
    write(store, "1", predictions())
    log = read_log(store, MODEL)
    assert (log.rows.num_rows, log.rows.schema.names[-1]) == (0, "input.carrier")


def test_an_open_segment_is_read_and_its_unfinished_line_is_not_torn_yet(store):
    write(store, "1", predictions(), answered("a"), close=False, tail=line(answered("b"))[:-5])
    log = read_log(store, MODEL)
    assert (ids(log), log.torn, log.damage) == (["a"], 0, [])


def test_since_and_until_are_half_open_by_event_time(store):
    write(
        store,
        "1",
        predictions(),
        *(answered(r, 100, events=[m]) for r, m in (("a", 1), ("b", 2), ("c", 3))),
    )
    assert ids(read_log(store, MODEL, since=moment(1), until=moment(3))) == ["a", "b"]
    assert ids(read_log(store, MODEL, since=moment(3))) == ["c"]
    assert ids(read_log(store, MODEL, until=moment(1))) == []


def test_releases_with_other_inputs_stand_in_one_table(store):
    number, text = LoggedColumn("x", "number"), LoggedColumn("x", "string")
    write(
        store,
        "1",
        predictions(columns=(number, LoggedColumn("old", "boolean"))),
        answered("a", rows=[(1.5, True)]),
    )
    write(
        store,
        "2",
        predictions(version="2", columns=(LoggedColumn("new", "integer"), text)),
        answered("b", rows=[(3, "hash")]),
    )
    rows = read_log(store, MODEL).rows
    assert rows["input.x"].to_pylist() == ["1.5", "hash"]
    assert rows["input.old"].to_pylist() == [True, None]
    assert rows["input.new"].to_pylist() == [None, 3]


def test_integers_and_numbers_meet_as_numbers(store):
    for n, kind in (("1", "integer"), ("2", "number")):
        write(
            store,
            n,
            predictions(version=n, columns=(LoggedColumn("x", kind),)),
            answered(n, rows=[(2,)]),
        )
    assert read_log(store, MODEL).rows["input.x"].to_pylist() == [2.0, 2.0]


def test_multiclass_has_its_best_label_and_probabilities_in_one_order(store):
    old = predictions(task="multiclass", classes=("b", "c"))
    new = predictions(version="2", task="multiclass", classes=("a", "b", "c"))
    write(store, "1", old, answered("x", answers=[[0.25, 0.75]]))
    write(store, "2", new, answered("y", answers=[[0.5, 0.25, 0.25]]))
    log = read_log(store, MODEL)
    assert log.rows["prediction"].to_pylist() == ["c", "a"]
    assert dict(zip(log.classes, log.rows["probabilities"][0].as_py(), strict=True)) == {
        "a": 0.0,
        "b": 0.25,
        "c": 0.75,
    }
    assert dict(zip(log.classes, log.rows["probabilities"][1].as_py(), strict=True)) == {
        "a": 0.5,
        "b": 0.25,
        "c": 0.25,
    }


def test_quantiles_have_their_median_and_what_a_release_did_not_answer_is_unknown(store):
    old = predictions(task="quantiles", classes=("0.1", "0.9"))
    new = predictions(version="2", task="quantiles", classes=("0.1", "0.5", "0.9"))
    write(store, "1", old, answered("x", answers=[[1.0, 3.0]]))
    write(store, "2", new, answered("y", answers=[[1.0, 5.0, 6.0]]))
    log = read_log(store, MODEL)
    assert log.classes == ("0.1", "0.9", "0.5")
    assert log.rows["prediction"].to_pylist() == [2.0, 5.0]
    first, second = log.rows["probabilities"].to_pylist()
    assert first[:2] == [1.0, 3.0]
    assert np.isnan(first[2])
    assert second == [1.0, 6.0, 5.0]


def test_more_lines_than_are_decoded_at_once(store):
    name = write(
        store,
        "1",
        predictions(),
        *(answered(f"r{i}", i, rows=[(float(i), "UA")]) for i in range(9_000)),
    )
    damage(store, name, place(store, name, 8_500) + 20)
    log = read_log(store, MODEL)
    assert log.rows.num_rows == 8_999
    assert log.damage == [
        f"segment {name}, byte {place(store, name, 8_500)}: the line there is damaged"
    ]
    expected = [float(i) for i in range(9_000) if i != 8_499]
    assert log.rows["input.distance"].to_pylist() == expected


def test_the_first_label_of_an_identity_counts(store):
    write(
        store,
        "1",
        LABELS,
        labelled("k:a", 1.0, 5),
        labelled("k:b", 0.0, 5),
        labelled("k:a", 0.0, 6),
    )
    write(store, "2", LABELS, labelled("k:b", 1.0, 4), tail=b"torn")
    labels = read_labels(store, MODEL)
    assert labels.table.to_pylist() == [
        {"identity": "k:a", "label": 1.0, "at": moment(5)},
        {"identity": "k:b", "label": 1.0, "at": moment(4)},
    ]
    assert (labels.torn, labels.damage) == (1, [])


def test_labels_of_classes_are_texts(store):
    write(store, "1", LABELS, labelled("k:a", "red"))
    assert read_labels(store, MODEL).table["label"].to_pylist() == ["red"]


def test_microseconds_survive(store):
    write(store, "1", predictions(), answered("a", 3))
    assert read_log(store, MODEL).rows["at"].cast(pa.int64()).to_pylist() == [micros(3)]


def test_what_is_not_kept_leaves_before_the_next_part_is_read(store):
    write(store, "1", predictions(), answered("r1", 1), answered("r2", 2))
    write(store, "2", predictions(), answered("r1", 3))
    seen = []

    def keep(rows):
        seen.append(rows.num_rows)
        return rows.filter(pc.equal(rows["request_id"], "r1")).drop_columns(["input.carrier"])

    log = read_log(store, MODEL, keep=keep)
    assert seen == [2, 1]
    assert log.rows["request_id"].to_pylist() == ["r1", "r1"]
    assert "input.carrier" not in log.rows.column_names
