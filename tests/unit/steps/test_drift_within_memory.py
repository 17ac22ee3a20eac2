"""A window with more rows than the memory of its step holds."""

from __future__ import annotations

from dataclasses import replace

from pipelines.data.batches import read_plan
from pipelines.data.row_limit import most_rows
from pipelines.ledger import DriftCheck
from pipelines.steps import drift
from pipelines.verdicts import words
from pipelines.watch.window_rows import build_table, sample_table
from tests.unit.steps.looks import DAY, entries, figures
from tests.worlds import visits

ROWS = 6_000


def test_a_sample_of_the_window_is_looked_at_and_everything_says_so(watched):
    watched.world.rewrite(DAY, visits(DAY, ROWS))
    request = watched.request(DAY, "watch")
    settings = watched.context.settings.model_copy(update={"memory": "8m"})
    context = replace(watched.context, settings=settings)
    plan = read_plan(context.ports.store, request.ingest.plan)
    rows, of, missing = sample_table(context, plan)
    whole = build_table(context, plan)
    most = most_rows(context, whole.select(context.spec.feature_columns).schema.types)
    assert (rows.num_rows, of) == (most, ROWS)
    assert 1_000 < most < ROWS
    kept = set(rows["visit"].to_pylist())
    mask = [visit in kept for visit in whole["visit"].to_pylist()]
    assert rows.sort_by("visit").equals(whole.filter(mask).sort_by("visit"))

    share = whole["minutes"].null_count / ROWS
    assert 0 < share != rows["minutes"].null_count / rows.num_rows
    assert missing["minutes"] == share

    found = drift.run(context, request)
    assert found.verdict == "no_drift", found.reasons
    columns = {c["name"]: c for c in figures(watched, found)["facts"]["columns"]}
    assert columns["minutes"]["missing"] == share, "of all rows"
    assert (found.rows, found.of) == (most, ROWS)
    said = words.looked_at(most, ROWS)
    assert said in figures(watched, found)["facts"]["notes"]
    assert said in watched.ports.store.get(found.page).decode()
    assert any(f"{most:,} of {ROWS:,} rows" in line.text for line in words.drift(found))
    [entry] = entries(watched)
    assert entry.read(DriftCheck).of == ROWS


def test_a_change_is_still_seen(watched):
    watched.world.rewrite(DAY, visits(DAY, ROWS, signal=-1.0))
    settings = watched.context.settings.model_copy(update={"memory": "8m"})
    request = watched.request(DAY, "watch")
    found = drift.run(replace(watched.context, settings=settings), request)
    assert found.verdict == "drift"
    assert found.of == ROWS


def test_a_window_that_fits_is_looked_at_whole(watched):
    settings = watched.context.settings.model_copy(update={"memory": "2g"})
    found = drift.run(replace(watched.context, settings=settings), watched.request(DAY, "watch"))
    assert found.of is None
    assert "of" not in found.model_dump(mode="json")
