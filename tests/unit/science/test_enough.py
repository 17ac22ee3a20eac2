"""A change that would pass is enough as it is written."""

import numpy as np
import pytest

from pipelines.science.enough import write_enough


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.124"), (0.1239, "0.124"), (0.2, "0.2"), (0.3 - 0.1, "0.2"), (0.0, "0")],
)
def test_three_digits_are_enough(value, text):
    assert write_enough(value) == text


def test_no_number_is_written_as_a_smaller_one():
    values = np.exp(np.random.default_rng(1).uniform(-12, 12, 500))
    written = np.array([float(write_enough(v)) for v in values])
    assert (written >= values).all()
    assert (written <= values * 1.01).all()


def test_what_has_no_end_is_written_so():
    assert write_enough(float("inf")) == "inf"
