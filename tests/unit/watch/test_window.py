"""What is said of a holdout before anything is learnt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.spec import parse_spec
from pipelines.watch.window import holdout_too_small
from tests.worlds import SPEC

DAY = timedelta(days=1)


def spec(*changes):
    text = SPEC
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_spec(text.encode(), "model.yaml")


@pytest.mark.parametrize(
    ("known", "changes"),
    [
        pytest.param(53, [], id="one batch is enough"),
        pytest.param(26, [("holdout: 1 batch", "holdout: 2 batches")], id="two batches together"),
    ],
)
def test_a_holdout_that_is_large_enough_is_not_mentioned(known, changes):
    assert holdout_too_small(spec(*changes), known, DAY) == ""


@pytest.mark.parametrize(
    ("known", "changes", "words"),
    [
        pytest.param(
            40,
            [],
            [
                "(1 batch) would hold about 38 rows",
                "needs 50 (gate.min_rows)",
                "train.holdout: 2 batches",
            ],
            id="few rows",
        ),
        pytest.param(
            240,
            [("known_after: 1h", "known_after: 7d"), ("holdout: 1 batch", "holdout: 3 batches")],
            [
                "about 0 rows whose outcome is known, which is 1w after the event",
                "train.holdout: 8 batches",
            ],
            id="outcomes that are known too late",
        ),
        pytest.param(0, [], ["about 0 rows", "a longer train.holdout"], id="no outcome at all"),
        pytest.param(
            0,
            [("batch: day\n", "batch: day\nempty_batches: allow\n")],
            ["this batch is empty", "--at"],
            id="an empty batch",
        ),
    ],
)
def test_a_holdout_that_the_gate_would_refuse_is_told_with_a_way_out(known, changes, words):
    found = holdout_too_small(spec(*changes), known, DAY)
    for part in words:
        assert part in found
