"""The side that a text is of decides no category."""

import numpy as np
import pytest

from pipelines.science.changes.facts import Sample
from pipelines.science.changes.find import find_changes


@pytest.mark.parametrize("kinds", [2**62, 5_000], ids=["all different", "5,000"])
def test_texts_that_hardly_come_twice_are_no_change(kinds):
    said = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sides = [
            Sample({"text": np.array([f"{v:x}" for v in rng.integers(0, kinds, rows)], object)})
            for rows in (500, 4_000)
        ]
        said.append(find_changes(*sides, level=0.05, span="row", seed=seed, least=30).said)
    assert said.count("changed") <= 4
