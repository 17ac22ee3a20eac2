"""Features that come from files are those that are built in memory, to the byte."""

import logging
from datetime import UTC, datetime

import pytest

from pipelines.data.batches import read_plan
from pipelines.data.feature_files import build_file
from pipelines.data.feature_rows import build_batch
from pipelines.data.plan_types import plan_types
from pipelines.errors import BadData, SpecError
from pipelines.messages import IngestRequest
from pipelines.steps import ingest
from pipelines.tables import to_parquet
from tests.worlds import ROWS, as_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FLOATS = ("_.sold.sum().over(window)", "(_.sold * 1.0).sum().over(window)")


@pytest.fixture
def planned(world, ports):
    def plan():
        context = world.context(ports)
        request = IngestRequest(run="r", now=NOW, conf={"as_of": as_of(4)})
        return context, read_plan(ports.store, ingest.run(context, request).plan)

    return plan


def rewrite(world, old, new):
    path = world.home / "models" / "sales" / "features.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_streamed_or_in_memory_the_bytes_are_the_same(world, planned, tmp_path, caplog):
    caplog.set_level(logging.INFO, "perennial")
    # A day without a value in one column, and one of whole numbers where the others have floats.
    world.rewrite(1, world.frame(1).assign(minutes=None))
    world.rewrite(2, world.frame(2).assign(minutes=7))
    context, plan = planned()
    types = plan_types(context.ports.store, context.spec, plan)
    for batch in (plan.train[1], plan.holdout[-1]):
        built = build_file(context, plan, batch, types, tmp_path)
        assert built.rows == ROWS
        assert built.path.read_bytes() == to_parquet(build_batch(context, plan, batch, types))
    assert "in memory" not in caplog.text
    rewrite(world, *FLOATS)
    built = build_file(context, plan, plan.holdout[-1], types, tmp_path)
    assert built.path.read_bytes() == to_parquet(
        build_batch(context, plan, plan.holdout[-1], types)
    )
    assert "in memory: Sum of float64" in caplog.text


def test_what_is_wrong_with_built_rows_is_said_as_in_memory(world, planned, tmp_path):
    context, plan = planned()
    types = plan_types(context.ports.store, context.spec, plan)
    batch = plan.holdout[-1]

    def refused():
        errors = []
        for build in (
            lambda: build_file(context, plan, batch, types, tmp_path),
            lambda: build_batch(context, plan, batch, types),
        ):
            with pytest.raises((BadData, SpecError)) as error:
                build()
            errors.append(error.value)
        assert str(errors[0]) == str(errors[1])
        return str(errors[0])

    rewrite(world, "bought=_.bought == 1\n    )", "bought=_.bought == 1\n    ).filter(_.pages < 0)")
    assert "no row of the interval" in refused()
    rewrite(world, ".filter(_.pages < 0)", ".mutate(visit=ibis.literal('one'))")
    assert "more than once" in refused()
    rewrite(world, ".mutate(visit=ibis.literal('one'))", ".drop('trend')")
    assert "no column trend" in refused()
    rewrite(world, ".drop('trend')", ".mutate(trend=ibis.literal(float('inf')))")
    assert "infinite" in refused()
