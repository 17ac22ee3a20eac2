"""Answers that no metric can take, and that nobody may be served."""

from __future__ import annotations

import numpy as np

from pipelines.science.usable_rows import count_unfit


def test_answers_that_nobody_may_be_served_are_counted_by_row():
    answers = np.array([[0.2, 0.8], [np.nan, 0.1], [0.5, np.inf], [1.2, -0.2], [1 + 1e-8, -1e-8]])
    assert count_unfit(answers, "multiclass") == 3
    assert count_unfit(answers, "regression") == 2
