"""Which rows may be learnt from, and what is counted of the others."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from pipelines.data import labelled_rows
from pipelines.data.labelled_rows import LabelCounts, count_labels
from pipelines.messages import TrainRequest
from pipelines.spec import parse_spec
from pipelines.steps import train
from tests.unit.steps.learning import DAYS, RUN, learning, rows, spec_text

AS_OF = datetime(2024, 1, 10, tzinfo=UTC)


def test_a_row_waits_until_its_outcome_can_be_known_and_is_then_missing():
    spec = parse_spec(spec_text(known_after="2d").encode(), "model.yaml")
    ages = [timedelta(days=3), timedelta(days=3), timedelta(days=2), timedelta(days=1)]
    events = [*(AS_OF - age for age in ages), AS_OF, AS_OF + timedelta(days=1)]
    table = pa.table(
        {
            "at": pa.array(events, pa.timestamp("us", tz="UTC")),
            "y": [True, None, None, True, True, True],
        }
    )
    assert count_labels(table, spec, AS_OF) == LabelCounts(known=1, waiting=1, missing=2)


@pytest.fixture
def half(tmp_path):
    """Days whose first ten labels are missing, and of which a label is known after an hour."""

    def with_gaps(day):
        table = rows(day)
        y = pa.array([None] * 10 + table["y"].to_pylist()[10:])
        return table.set_column(table.column_names.index("y"), "y", y)

    return learning(tmp_path, spec_text(), tables=[with_gaps(day) for day in range(DAYS)])


def test_the_split_counts_apart_what_waits_what_is_missing_and_what_is_set_aside(half):
    split = labelled_rows.split(half.context, half.built)
    spec, counts = half.context.spec, split.counts
    late = [
        sum(at >= at.replace(hour=23, minute=0, second=0) for at in rows(day)["at"].to_pylist())
        for day in range(DAYS)
    ]
    assert counts.missing == 10 * DAYS
    assert counts.waiting == late[-1] > 0
    assert counts.aside == late[-3] > 0
    assert split.train.num_rows + split.holdout.num_rows == counts.known - counts.aside
    assert counts.in_words(spec) == (
        f"{late[-1]} rows wait for their label, which is known 1h after the event;"
        f" {10 * DAYS} rows have no label though it should be known by now;"
        f" {late[-3]} rows are left out: nobody knew their label when the held-out rows began"
    )


def test_train_tells_them_in_its_result_its_log_and_the_registry(half, caplog):
    with caplog.at_level(logging.INFO, "perennial.tests"):
        done = train.run(
            half.context, TrainRequest(run=RUN, candidate="linear", features=half.built)
        )
    assert (done.rows_without_label, done.rows_waiting > 0) == (10 * DAYS, True)
    assert "wait for their label, which is known 1h after the event" in caplog.text
    logged = half.context.ports.registry.metrics(done.run_id)
    assert logged["rows_without_label"] == 10 * DAYS
    assert logged["rows_waiting_for_label"] == done.rows_waiting


def test_nothing_is_said_where_every_row_has_its_label():
    spec = parse_spec(spec_text().encode(), "model.yaml")
    assert LabelCounts(known=5).in_words(spec) == ""
    assert LabelCounts(missing=1).in_words(spec) == (
        "1 row has no label though it should be known by now"
    )
