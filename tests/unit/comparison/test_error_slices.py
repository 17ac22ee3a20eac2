"""Slices of a table: each has a name of its own, however alike its values look."""

import pyarrow as pa
import pytest

from pipelines.comparison.error_slices import slices_of

ROWS = 50


@pytest.mark.parametrize(
    "values",
    [
        [f"{'the same beginning ' * 4}{end}" for end in "abc"],
        [1_000_000_001, 1_000_000_002, 1_000_000_003],
    ],
)
def test_values_that_look_alike_are_slices_of_their_own(values):
    table = pa.table({"group": values * ROWS})
    found = dict(slices_of(table, ["group"], ()))
    assert len(found) == len(values)
    assert [mask.sum() for mask in found.values()] == [ROWS] * len(values)
    assert sum(found.values()).tolist() == [1] * table.num_rows


@pytest.mark.parametrize(
    "values",
    [[[1], [2]], [{"a": 1}, {"a": 2}], [b"\xff", b"\xfe"]],
    ids=["list", "struct", "bytes"],
)
def test_what_has_no_name_makes_no_slice(values):
    table = pa.table({"odd": pa.array(values * 50), "region": ["north", "south"] * 50})
    names = [name for name, _ in slices_of(table, ["odd", "region"], ())]
    assert names == ["region = north", "region = south"]
