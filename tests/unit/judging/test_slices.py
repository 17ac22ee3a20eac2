"""The slices of rows that a spec names."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.judging.slices import named_slices
from pipelines.spec.gate_checks import SliceOf

ROWS = 60


def test_a_column_and_a_condition_name_their_rows():
    table = pa.table({"place": ["a", "b"] * ROWS, "age": np.arange(2 * ROWS)})
    a, b = named_slices(table, SliceOf(column="place"))
    assert (a.name, b.name) == ("place = a", "place = b")
    (young,) = named_slices(table, SliceOf(where="age < 30"))
    assert np.array_equal(young.mask, np.arange(2 * ROWS) < 30)


@pytest.mark.parametrize("values", [[7.0] * ROWS, [None] * ROWS, [float("inf"), 1.0] * ROWS])
def test_a_column_that_makes_no_slice_is_named(values):
    (only,) = named_slices(pa.table({"place": values}), SliceOf(column="place"))
    assert only.name.startswith("place: ")
    assert not only.mask.any()
