"""The rows on which two versions are asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from pipelines.comparison.common_rows import MOST, common_rows
from tests.unit.steps.learning import day, learning, rows


def test_of_many_rows_the_same_ones_are_read_without_the_others(tmp_path):
    world = learning(tmp_path, tables=[rows(d, count=4_001) for d in range(6)])
    manifests = cast("Any", [SimpleNamespace(fitted_on=day(3), sides=None)])
    asked = {"now": world.built.as_of, "version": world.built.version}
    held = common_rows(world.context, manifests, **asked)
    read = common_rows(world.context, manifests, large=100, **asked)
    assert held is not None
    assert read is not None
    assert read.table.num_rows == MOST
    assert read.table.equals(held.table)
    assert np.array_equal(read.fresh, held.fresh)
    assert read.fresh.any()
    assert read.words == held.words
