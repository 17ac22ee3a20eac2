"""What months are worth: the gate by default against the better of two other policies."""

from __future__ import annotations

import pytest

from benchmarks.replay import measure
from benchmarks.replaying.lives import LIVES
from pipelines.replay.contenders import ALWAYS, BETTER, DEFAULT, NEVER

BIKES = next(life for life in LIVES if life.model == "bike_demand")  # mae: the smaller the better
FLIGHTS = next(life for life in LIVES if life.model == "flight_delays")  # roc_auc


def asked(life, **scores):
    contenders = {"never": NEVER, "always": ALWAYS, "better": BETTER, "default": DEFAULT}
    names = {key: contender.name for key, contender in contenders.items()}
    rows = measure(life, {name: scores[key] for key, name in names.items()})
    (row,) = [row for row in rows if row["asked"]]
    return row["value"], rows


def test_the_better_of_both_is_what_counts():
    value, rows = asked(
        BIKES, never=[60, 60], always=[40, 40], better=[50, 50], default=[45.0, 45.0]
    )
    assert value == -5
    assert any(row["measure"].endswith(f"default against {ALWAYS.name}") for row in rows)
    value, rows = asked(
        FLIGHTS, never=[0.5, 0.5], always=[0.6, 0.6], better=[0.7, 0.7], default=[0.7, 0.7]
    )
    assert value == 0
    assert any(row["measure"].endswith(f"default against {BETTER.name}") for row in rows)


@pytest.mark.parametrize(("default", "value"), [([40, 42], 0), ([41, 41], -1)])
def test_one_standard_error_of_the_differences_is_forgiven(default, value):
    months = {"never": [60, 60], "always": [40, 40], "better": [50, 50]}
    found, _ = asked(BIKES, **months, default=default)
    assert found == pytest.approx(value)
