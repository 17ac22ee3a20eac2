"""What has moved in a column, in a sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.science.causes.cells import cut
from pipelines.science.causes.sentences import describe_shift
from pipelines.science.causes.shift import Shift
from pipelines.science.causes.view import View
from pipelines.science.changes.facts import Sample


def test_where_no_cell_moves_by_more_than_days_do_the_one_that_differs_most_is_named():
    past = np.array(["mail"] * 60 + ["shop"] * 40, dtype=object)
    now = np.array(["mail"] * 50 + ["shop"] * 50, dtype=object)
    view = View(Sample({"channel": now}), Sample({"channel": past}))
    cells = cut(past)
    shares = [np.bincount(cells.place(v), minlength=cells.count) / 100 for v in (now, past)]
    still = Shift(0.1, 0.2, 0.5, shares[0], shares[1], np.zeros(cells.count))
    view.__dict__["shifts"] = {"channel": still}
    said = describe_shift(view, "channel")
    assert "missing" not in said
    assert said.startswith("channel: mail has 50.0% of the rows (60.0% in training)")
    view.__dict__["shifts"] = {"channel": replace(still, z=np.eye(cells.count)[0])}
    assert describe_shift(view, "channel").startswith("channel: the value is missing in 0.0%")
