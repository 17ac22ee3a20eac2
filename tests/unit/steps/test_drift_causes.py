"""A window that a broken pipe delivers is an alarm with its cause, and starts no retraining."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ledger import DriftCheck
from pipelines.verdicts.explanations import in_short
from tests.unit.steps.looks import DAY, entries


def test_minutes_that_came_as_milliseconds_alarm_with_the_way_back(watched):
    rows = watched.rows(DAY)
    place = rows.column_names.index("minutes")
    broken = pc.multiply(rows["minutes"].cast(pa.float64()), 1000.0)
    watched.serve(rows.set_column(place, "minutes", broken))
    found = watched.look(DAY)
    assert (found.verdict, found.cause.kind, found.cause.detail) == (
        "alarm",
        "broken_upstream",
        "units",
    )
    assert "minutes: the values of this window" in found.reasons[1]
    assert b"values in another unit" in watched.ports.store.get(found.page)
    [entry] = entries(watched)
    check = entry.read(DriftCheck)
    assert check.cause == found.cause
    assert in_short(check.cause, check.effect)[0].startswith("cause: A pipe is broken upstream")
