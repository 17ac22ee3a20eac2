"""Causes of faults that nobody looked at while the naming was written, on data that are always at
hand: one window of each. `make bench` measures all of them, several times."""

from __future__ import annotations

import tomllib
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from benchmarks.causes import FAULTS_FILE, RETRAINS, SEEN, measure
from benchmarks.causing.worlds import HOURLY, REFERENCE_ROWS, flights
from pipelines.science.causes.clock import find_clock
from pipelines.science.causes.view import View, pick, thin
from pipelines.science.changes.facts import Sample

PLAN = tomllib.loads(FAULTS_FILE.read_text(encoding="utf-8"))


def test_half_of_the_severities_and_a_data_set_are_held_out():
    severities = [s for fault in PLAN["fault"] for s in fault["severities"]]
    assert sum(s.get("held_out", False) for s in severities) * 2 == len(severities)
    assert sum(d.get("held_out", False) for d in PLAN["data"]) == 1
    assert len(PLAN["fault"]) >= 12


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("name", "least"), [("simulated", 0.95), ("flights", 0.75)])
def test_what_was_held_out_is_named_as_well_as_it_was(name, least):
    """What is asked of the benchmark is 0.9; docs/causes.md says where it falls short."""
    cases = [c for c in measure(PLAN, tiny=False, names=[name], windows=1) if c.part != SEEN]
    wrong = Counter((c.fault, c.severity, c.detail or c.kind) for c in cases if not c.is_right)
    assert wrong.total() <= (1 - least) * len(cases), (
        f"{wrong.total()} of {len(cases)} wrong: {wrong}"
    )
    broken = [c for c in cases if c.expected == "broken_upstream"]
    assert sum(c.kind in RETRAINS for c in broken) <= 0.03 * len(broken)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_month_of_the_flights_has_a_clock_that_is_off_in_utc():
    """People set their clocks in March and in November, and the times in UTC show it."""
    world = flights()
    zoned = pd.Series(world.times).dt.tz_localize(
        "America/New_York", ambiguous="NaT", nonexistent="NaT"
    )
    known = zoned.notna().to_numpy()
    times = zoned[known].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("M8[us]")
    columns = dict(world.pick(known).columns) | {n: make(times) for n, make in HOURLY.items()}
    rows, month = Sample(columns, times), times.astype("M8[M]").astype(int) % 12
    for first in range(3, 12):
        for past in (month < first, month < 3):
            sides = pick(rows, month == first), thin(pick(rows, past), REFERENCE_ROWS, 0)
            assert not list(find_clock(View(*sides), 0)), first
    assert np.unique(month).size == 12
