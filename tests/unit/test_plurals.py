"""A number with its noun."""

from __future__ import annotations

import pytest

from pipelines.plurals import how_many


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (1_200, "row", "1,200 rows"),
        (1, "batch", "1 batch"),
        (2, "batch", "2 batches"),
        (2, "class", "2 classes"),
        (2, "entry", "2 entries"),
        (2, "day", "2 days"),
    ],
)
def test_a_noun_stands_in_its_number(number, noun, text):
    assert how_many(number, noun) == text


def test_a_verb_goes_with_the_noun():
    assert how_many(1, "row waits", "rows wait") == "1 row waits"
    assert how_many(3, "row waits", "rows wait") == "3 rows wait"
