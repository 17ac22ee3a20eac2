"""Which raw batches a batch's features are built from."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from pipelines.data.feature_rows import batches_behind
from pipelines.data.manifests import BatchRef, Plan
from pipelines.intervals import Interval
from pipelines.refs import Ref

FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def batch(number: int) -> BatchRef:
    start = FIRST + timedelta(hours=number)
    interval = Interval(start=start, end=start + timedelta(hours=1))
    return BatchRef(interval=interval, version=1, manifest=Ref(uri="m", sha256=f"{number:064x}"))


def plan(*numbers: int) -> Plan:
    batches = [batch(n) for n in numbers]
    return Plan(
        model="m", as_of=FIRST, lookback=batches[:3], train=batches[3:8], holdout=batches[8:]
    )


@pytest.mark.parametrize("hours", [0, 1, 2.5, 100])
@pytest.mark.parametrize("gone", [set(), {1, 4, 5}])
def test_a_batch_reaches_those_within_the_lookback_and_no_later_ones(hours, gone):
    whole = plan(*[n for n in range(12) if n not in gone])
    spec = SimpleNamespace(lookback=timedelta(hours=hours))
    for one in whole.batches:
        since = one.interval.start - spec.lookback
        expected = [
            b
            for b in whole.batches
            if b.interval.end > since and b.interval.start < one.interval.end
        ]
        assert batches_behind(spec, whole, one) == expected
