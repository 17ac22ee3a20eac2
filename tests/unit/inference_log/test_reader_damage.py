"""What every kind of damage does to the log: the rest is read, and the damage is named."""

import zlib

import pytest

from pipelines.inference_log.format import line
from pipelines.inference_log.reader import read_log
from tests.unit.inference_log.logs import (
    LABELS,
    MODEL,
    answered,
    damage,
    ids,
    labelled,
    place,
    predictions,
    write,
)


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_skipped_and_counted(store, cut):
    write(store, "1", predictions(), answered("a"), tail=line(answered("b"))[:-cut])
    write(store, "2", predictions(), answered("c"))
    log = read_log(store, MODEL)
    assert (ids(log), log.torn, log.damage) == (["a", "c"], 1, [])


def test_a_torn_header_and_an_empty_segment_hold_nothing(store):
    for name, data in (("1", line(predictions())[:20]), ("2", b"")):
        segment = store.open_segment(f"inference/{MODEL}/predictions/2026-03-01-{name}")
        segment.append(data)
        segment.close()
    log = read_log(store, MODEL)
    assert (ids(log), log.torn, log.damage) == ([], 1, [])


@pytest.mark.parametrize("inside", [0, 7, 8, 30, -2])
def test_one_damaged_byte_costs_its_line_and_is_named_by_place(store, inside):
    name = write(store, "1", predictions(), answered("a"), answered("b"), answered("c"))
    begin, end = place(store, name, 2), place(store, name, 3)
    damage(store, name, (begin if inside >= 0 else end) + inside)
    log = read_log(store, MODEL)
    assert ids(log) == ["a", "c"]
    assert log.damage == [f"segment {name}, byte {begin}: the line there is damaged"]
    assert log.torn == 0


def test_a_damaged_newline_costs_the_two_lines_that_it_parted(store):
    name = write(store, "1", predictions(), answered("a"), answered("b"), answered("c"))
    damage(store, name, place(store, name, 2) - 1)
    log = read_log(store, MODEL)
    assert ids(log) == ["c"]
    assert log.damage == [
        f"segment {name}, byte {place(store, name, 1)}: the line there is damaged"
    ]


def test_any_single_damaged_byte_loses_at_most_two_rows_and_is_never_silent(store):
    name = write(store, "1", predictions(), *(answered(r) for r in "abcd"), close=True)
    whole = store.read_segment(name)
    for at in range(len(whole)):
        damage(store, name, at)
        log = read_log(store, MODEL)
        lost = 4 - log.rows.num_rows
        assert log.damage or log.torn or not lost
        assert lost <= 2
        damage(store, name, at)
    assert store.read_segment(name) == whole


@pytest.mark.parametrize(
    ("at", "byte"), [(20, 0), (-1, 0), (20 + len(line(predictions())), len(line(predictions())))]
)
def test_a_damaged_header_or_copy_is_named_and_the_rest_is_read(store, at, byte):
    name = write(store, "1", predictions(), answered("a"), answered("b"))
    damage(store, name, at if at >= 0 else len(line(predictions())) + at)
    log = read_log(store, MODEL)
    assert ids(log) == ["a", "b"]
    assert log.damage == [f"segment {name}, byte {byte}: the line there is damaged"]


def test_a_segment_with_one_header_is_read(store):
    segment = store.open_segment(f"inference/{MODEL}/predictions/2026-03-01-1")
    segment.append(line(predictions()) + line(answered("a")))
    segment.close()
    log = read_log(store, MODEL)
    assert (ids(log), log.damage) == (["a"], [])


def test_a_header_and_copy_both_damaged_cost_their_segment_which_is_named(store):
    name = write(store, "1", predictions(), answered("a"))
    write(store, "2", predictions(), answered("b"))
    damage(store, name, 20)
    damage(store, name, place(store, name, 0) + 20)
    log = read_log(store, MODEL)
    assert ids(log) == ["b"]
    [said] = log.damage
    assert said.startswith(f"segment {name}, byte 0: its header is damaged")
    assert said.endswith(f"nothing of its {len(store.read_segment(name))} bytes was read")


def test_a_segment_of_another_model_or_kind_is_named_as_damage(store):
    segment = store.open_segment(f"inference/{MODEL}/predictions/2026-03-01-1")
    segment.append(line(LABELS))
    assert "its header is one of labels of 'm'" in read_log(store, MODEL).damage[0]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        pytest.param(answered("b", rows=[(1.0,)]), "length 2", id="a row that is too short"),
        pytest.param(answered("b", rows=[("far", "UA")]), "float", id="text for a number"),
        pytest.param(
            answered("b", answers=[0.1, 0.2]), "differ in number", id="two answers to one row"
        ),
        pytest.param(answered("b", keys=["k", "l"]), "differ in number", id="two keys of one row"),
        pytest.param(labelled("k:1", 1.0), "Expected", id="a label"),
    ],
)
def test_a_whole_line_that_is_no_record_of_its_segment_is_named(store, record, words):
    name = write(store, "1", predictions(), answered("a"), record, answered("c"))
    log = read_log(store, MODEL)
    assert ids(log) == ["a", "c"]
    [said] = log.damage
    assert f"{name}, byte {place(store, name, 2)}: the line there is no record" in said
    assert words in said


def test_two_records_in_one_line_are_no_record(store):
    name = write(store, "1", predictions(), answered("a"), answered("c"))
    one = line(answered("b"))[8:-1]
    body = one + b"," + one
    segment = store.open_segment(f"{name}x")
    segment.append(
        line(predictions()) + b"%08x%b\n" % (zlib.crc32(body), body) + line(answered("d"))
    )
    segment.close()
    log = read_log(store, MODEL)
    assert ids(log) == ["a", "c", "d"]
    assert len(log.damage) == 1
