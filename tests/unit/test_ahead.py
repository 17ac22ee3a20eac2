"""Items that are made ahead come in their order, and an error comes where its item would."""

import pytest

from pipelines.ahead import iterate_ahead
from pipelines.errors import BadData


@pytest.mark.parametrize("count", [1, 2, 5])
def test_all_items_come_in_their_order(count):
    assert list(iterate_ahead(iter(range(50)), count)) == list(range(50))
    assert list(iterate_ahead(iter([]), count)) == []


def test_an_error_comes_behind_the_items_before_it():
    def items():
        yield from range(3)
        raise BadData("torn.")

    came = []
    with pytest.raises(BadData, match=r"^torn\.$"):
        came.extend(iterate_ahead(items()))
    assert came == [0, 1, 2]


def test_no_more_is_made_than_so_many_items_ahead():
    made = []

    def items():
        for number in range(9):
            made.append(number)
            yield number

    ahead = iterate_ahead(items(), 2)
    assert next(ahead) == 0
    ahead.close()
    assert len(made) <= 3
