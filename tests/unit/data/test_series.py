"""Made columns on built rows: the same in every batch, exact, and blind to the future."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.data.feature_rows import build_rows
from pipelines.data.series import add_series_columns
from pipelines.errors import BadData
from pipelines.intervals import Interval
from tests.series import START, hourly, sales_spec

SPEC = sales_spec()
TWO = sales_spec(key=["shop", "at"], forecast={"series": ["shop"]})
HOUR = timedelta(hours=1)


def made(rows, spec=SPEC):
    return add_series_columns(rows, spec, "sales/features.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "sales"
    folder.mkdir()
    (folder / "features.py").write_text("def build(tables):\n    return tables['events']\n")
    return folder


@pytest.mark.heavy
def test_a_batch_takes_its_past_from_the_batches_before_it(folder):
    rows = hourly(96)
    whole = made(rows)
    day = Interval(start=START + 48 * HOUR, end=START + 72 * HOUR)
    past = rows.filter(pc.greater_equal(rows["at"], pa.scalar(day.start - SPEC.lookback)))
    built = build_rows(folder, SPEC, {"events": past}, day)
    assert built.column_names == SPEC.feature_columns
    assert built.equals(whole.slice(48, 24).select(SPEC.feature_columns))
    assert built["sold_lag_1d"].null_count == 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), place=st.integers(0, 119))
def test_no_target_later_than_the_horizon_before_a_row_moves_its_columns(seed, place):
    """The proof that nothing looks ahead: change all that is later, and the row stays."""
    random = np.random.default_rng(seed)
    rows = hourly(120, gap=random.choice(120, 12, replace=False), seed=seed % 1_000)
    place = place % rows.num_rows
    known = pa.scalar(rows["at"][place].as_py() - SPEC.horizon - SPEC.target.known_after)
    later = pc.greater(rows["at"], known)
    noise = pa.array(random.normal(0, 1e6, rows.num_rows))
    changed = rows.set_column(2, "sold", pc.if_else(later, noise, rows["sold"]))
    before, after = (made(t).slice(place, 1).select(SPEC.inputs) for t in (rows, changed))
    assert before.equals(after)
    assert pc.sum(later).as_py() > 0


def test_a_label_that_is_not_there_yet_is_null_in_the_columns():
    rows = hourly(40)
    sold = pa.array([None if i == 20 else v for i, v in enumerate(rows["sold"].to_pylist())])
    columns = made(rows.set_column(2, "sold", sold))
    assert columns["sold_lag_6h"][26].as_py() is None
    assert columns["sold_lag_6h"][27].as_py() == sold[21].as_py()


def test_each_series_has_its_own_past():
    rows = pa.concat_tables(
        hourly(30, seed=seed).append_column("shop", pa.array([shop] * 30))
        for seed, shop in ((1, "a"), (2, "b"))
    )
    columns = made(rows, TWO)
    for first in (0, 30):
        lags = columns["sold_lag_6h"].slice(first + 6, 24).to_pylist()
        assert lags == rows["sold"].slice(first, 24).to_pylist()


def test_a_doubled_hour_before_the_batch_is_null():
    rows = pa.concat_tables([hourly(30), hourly(30, seed=2).slice(10, 1)]).sort_by("at")
    columns = made(rows)
    there = columns.filter(pc.equal(columns["at"], pa.scalar(START + 16 * HOUR)))
    assert there["sold_lag_6h"].to_pylist() == [None]


def test_times_beside_the_grid_are_refused_by_name():
    rows = hourly(30)
    times = [
        t + timedelta(minutes=7) if i in {4, 5} else t for i, t in enumerate(rows["at"].to_pylist())
    ]
    odd = rows.set_column(0, "at", pa.array(times, rows.schema.field("at").type))
    with pytest.raises(BadData, match=r"2 of 30 rows do not lie whole steps.*04:07:00Z") as caught:
        made(odd)
    assert caught.value.at == ("forecast", "step")


def test_a_grid_that_begins_at_half_past_is_a_grid():
    rows = hourly(30)
    shifted = rows.set_column(0, "at", pc.add(rows["at"], timedelta(minutes=30)))
    assert made(shifted)["sold_lag_6h"].equals(made(rows)["sold_lag_6h"])


def test_a_target_that_is_no_number_is_refused():
    rows = hourly(10).drop_columns("sold").append_column("sold", pa.array(["many"] * 10))
    with pytest.raises(BadData, match="holds string, of which no series can be made"):
        made(rows)


def test_other_tasks_have_their_rows_as_they_are():
    rows = hourly(10)
    plain = sales_spec(task="regression", forecast=None)
    assert made(rows, plain) is rows
