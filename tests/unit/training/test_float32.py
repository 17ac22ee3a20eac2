"""What float32 cannot keep apart is said, and nothing else."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.training.float32 import WHOLE_NUMBERS, merged_inputs


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([WHOLE_NUMBERS, WHOLE_NUMBERS + 1], id="the first two"),
        pytest.param([1_700_000_000, 1_700_000_001, None], id="seconds since 1970"),
        pytest.param([-(2**53), -(2**53) + 1], id="below zero"),
        pytest.param([16_777_216.0, 16_777_217.0, None], id="whole numbers as floats"),
        pytest.param(pa.array([2**64 - 1, 2**64 - 2], pa.uint64()), id="without a sign"),
    ],
)
def test_whole_numbers_that_become_the_same_are_named(values):
    words = merged_inputs(pa.table({"id": values, "rows": [1] * len(values)}), ["id", "rows"])
    assert "beyond 16,777,216 of id become the same" in words


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([-WHOLE_NUMBERS, WHOLE_NUMBERS], id="all that float32 holds"),
        pytest.param([2**40, 2**41, 2**41], id="large ones far apart"),
        pytest.param([1e9 + 0.25, 1e9 + 0.5], id="measured numbers, which are rounded"),
        pytest.param([float("inf"), 1.0, None], id="not finite"),
        pytest.param([None, None], id="nothing"),
        pytest.param(["16777216", "16777217"], id="texts"),
        pytest.param([True, False], id="booleans"),
    ],
)
def test_what_stays_apart_or_was_no_whole_number_is_not(values):
    assert merged_inputs(pa.table({"id": values}), ["id"]) == ""
