"""What says how much a row counts must be numbers of at least 0, and not all 0."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import BadData
from pipelines.training.weights import weights_of
from tests.unit.training.search.worlds import LINEAR, spec_with

SPEC = spec_with(LINEAR, sample_weight="heavy")


def weights(values, kind=None):
    return weights_of(pa.table({"heavy": pa.array(values, kind)}), SPEC)


@pytest.mark.parametrize(
    "values", [[1, 0, 2], [1.0, 0.0, 2.0], [Decimal(1), Decimal(0), Decimal(2)]]
)
def test_numbers_of_any_kind_are_weights(values):
    found = weights(values)
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 0.0, 2.0]
    assert weights([True, False, True]).tolist() == [1.0, 0.0, 1.0]


def test_without_a_column_all_rows_count_alike():
    assert weights_of(pa.table({"heavy": [1]}), spec_with(LINEAR)) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["1", "2"], r"heavy: the column holds (large_)?string, and weights are numbers"),
        ([1.0, None, float("nan")], r"is missing, or not finite, in 2 rows"),
        ([1.0, float("inf")], r"is missing, or not finite, in 1 row"),
        ([1, -1, -2], r"is negative in 2 rows"),
        ([0, 0], r"is 0 in every row"),
    ],
)
def test_bad_weights_are_refused_with_their_place_and_a_way_out(values, words):
    with pytest.raises(BadData, match=words) as raised:
        weights(values)
    assert raised.value.at == ("train", "sample_weight")
    assert "features.py" in raised.value.remedy
