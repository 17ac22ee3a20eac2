"""Specs of data without time: what they may leave out, and what makes no sense there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.errors import RequestError, SpecError
from pipelines.spec import parse_spec
from tests.snapshots import SPEC
from tests.worlds import SPEC as TIMED


def read(text: str):
    return parse_spec(text.encode(), "models/loans/model.yaml")


def test_a_spec_without_event_time_is_a_snapshot():
    spec = read(SPEC)
    assert spec.is_snapshot
    assert (spec.batch, spec.source.first, spec.raw_event_time) == (None, None, None)
    assert spec.holdout_share == 0.2
    assert spec.row_order == ["customer"]
    assert spec.drift is not None
    assert spec.drift.window == timedelta(days=2)
    with pytest.raises(RequestError, match="have no time"):
        assert spec.timing


def test_a_spec_with_time_is_none_and_has_its_timing():
    spec = read(TIMED)
    assert not spec.is_snapshot
    assert (spec.timing.batch, spec.timing.holdout) == ("day", 1)
    assert spec.row_order == ["at", "visit"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("task: binary", "task: binary\nbatch: day", "batch"),
        ("{column: fault}", "{column: fault, known_after: 1d}", "target.known_after"),
        ("[income, late, region]}", "[income, late], lookback: 1d}", "features.lookback"),
        ("task: binary", "task: binary\nempty_batches: allow", "empty_batches"),
        ("seed: 1}", "seed: 1, window: 3 batches}", "train.window"),
        ("seed: 1}", "seed: 1, holdout: 2 batches}", "train.holdout"),
        ("seed: 1}", "seed: 1, group: fault}", "train.group"),
        ('"loans.csv"}', '"loans.csv", first: 2024-01-01}', "source.first"),
        ('"loans.csv"}', '"{start:%Y}.csv"}', "source.uri"),
        ("window: 2d", "window: 2 batches", "drift.window"),
        ("window: 2d", "window: 30m", "drift.window"),
    ],
)
def test_what_speaks_of_time_is_refused_where_there_is_none(old, new, field):
    assert old in SPEC
    with pytest.raises(SpecError, match=rf"{field}.*\n?") as raised:
        read(SPEC.replace(old, new))
    assert field in str(raised.value)


def test_a_query_of_a_snapshot_binds_nothing():
    source = 'source: {kind: sql, database: shop, query: "select * from loans"}'
    text = SPEC.replace('source: {kind: files, uri: "loans.csv"}', source)
    assert read(text).is_snapshot
    with pytest.raises(SpecError, match=r"without :start and :end"):
        read(text.replace("from loans", "from loans where at >= :start and at < :end"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("batch: day\n", "", "batch: needed where there is an `event_time`"),
        ("first: 2024-01-01T00:00:00Z, until", "until", "source.first: needed"),
        ("holdout: 1 batch", "holdout: 0.2", "a share is for data without `event_time`"),
        ("seed: 3", "seed: 3, group: channel", "is for data without `event_time`"),
        ("schedule: weekly", "schedule: weekly\n  window: 7d", "a duration is for data without"),
    ],
)
def test_what_is_for_snapshots_is_refused_where_there_is_a_time(old, new, words):
    assert old in TIMED
    with pytest.raises(SpecError) as raised:
        read(TIMED.replace(old, new))
    assert words in str(raised.value)
