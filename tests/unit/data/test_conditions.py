"""Conditions of the spec over rows."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.data.conditions import rows_where
from pipelines.errors import BadData
from pipelines.spec.expressions import judge_expression

ROWS = pa.table({"Age": [10, None, 40], "who": ["a", "b", None], "on": [True, False, None]})


def where(text):
    return rows_where(ROWS, judge_expression(text)).tolist()


def test_null_is_not_in_a_slice():
    assert where("age < 30") == [True, False, False]
    assert where("who IN ('a', 'b') AND NOT \"on\"") == [False, True, False]
    assert where("age IS NULL") == [False, True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("height > 3", "have no column height"),
        ("age + 1", "no true and false"),
        ("who > 3", "cannot be computed"),
    ],
)
def test_what_is_no_condition_is_refused_in_words(text, says):
    with pytest.raises(BadData, match=says):
        where(text)
