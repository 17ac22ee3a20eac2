"""How a row's key is spelt as a text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipelines.inference_log.format import earlier_key_text, key_text

AT = datetime(2024, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([17], "17"),
        (["a b/c"], "a b/c"),
        (["a b/c", 3], "a%20b%2Fc/3"),
        ([AT], "2024-01-31T10:00:00Z"),
        ([AT.replace(microsecond=250_000)], "2024-01-31T10:00:00.250000Z"),
        ([AT.astimezone(timezone(timedelta(hours=9)))], "2024-01-31T10:00:00Z"),
        ([AT.replace(tzinfo=None)], "2024-01-31T10:00:00Z"),
        (["Oslo", 3, AT], "Oslo/3/2024-01-31T10:00:00Z"),
    ],
)
def test_a_time_has_one_spelling_and_every_other_part_is_as_before(values, text):
    assert key_text(values) == text


def test_the_earlier_spelling_is_known():
    assert earlier_key_text([AT]) == "2024-01-31 10:00:00+00:00"
    assert earlier_key_text(["a b", 3]) == key_text(["a b", 3])
