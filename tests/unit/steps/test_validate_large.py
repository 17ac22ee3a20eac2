"""A large batch is found to be what it is in memory, with the same bad rows."""

import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.data.batches import manifest_of, publish
from pipelines.intervals import containing
from pipelines.sources import Raw
from pipelines.steps.validate import findings_of
from pipelines.tables import from_parquet
from pipelines.validation.suites import read_suite
from tests.worlds import FIRST

ROWS = 400_000
"""Rows of six columns, of 32 bytes each: more than the 64 MiB that the engine has at least."""


def table(bad):
    chance = np.random.default_rng(1)
    seconds = np.sort(chance.integers(0, 86_400, ROWS)) * 10**6
    pages = chance.integers(1, 30, ROWS)
    pages[chance.integers(0, ROWS, bad)] = 101
    minutes = chance.integers(0, 50, ROWS) / 2
    return pa.table(
        {
            "visit": pa.array(np.arange(ROWS)).cast(pa.string()),
            "at": pa.array(int(FIRST.timestamp()) * 10**6 + seconds, pa.timestamp("us", "UTC")),
            "pages": pages,
            "minutes": pa.array(minutes, mask=minutes > 23),
            "channel": pa.array(["mail", "search"]).take(pa.array(pages % 2)).cast(pa.string()),
            "bought": pages % 2,
        }
    )


@pytest.mark.parametrize("bad", [0, 7])
def test_findings_and_bad_rows_are_those_in_memory(world, ports, caplog, bad):
    caplog.set_level(logging.INFO, "perennial")
    context = world.context(ports)
    raw = Raw({"events": table(bad)})
    day = containing(FIRST, "day")
    batch, _ = publish(ports.store, manifest_of(ports.store, context.spec, day, raw))
    suites = {"events": read_suite(context.suites["events"])}

    def find(memory):
        caplog.clear()
        settings = context.settings.model_copy(update={"memory": memory})
        return findings_of(replace(context, settings=settings), batch, suites, force=True)

    large = find("96m")
    assert "judged part by part" in caplog.text
    assert find("4g") == large
    assert "judged part by part" not in caplog.text
    assert bool(large.critical) is (bad > 0)
    if bad:
        rows = from_parquet(ports.store.get(large.bad["events"]))
        assert rows["pages"].to_pylist() == [101] * bad
