"""What months are worth: the gate by default against the better of two other policies."""

from __future__ import annotations

import pytest

from benchmarks.replay import ROOT, SHIPPED, TRIED, measure, measure_policy
from benchmarks.replaying.lives import LIVES
from pipelines.replay.contenders import ALWAYS, BETTER, DEFAULT, NEVER, parse_policy
from pipelines.replay.outcome import Advice, PolicyOutcome, ReplayOutcome
from pipelines.spec import load_spec

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


def policy(name, mean, *, retrainings, own=False):
    counts = {"retrainings": retrainings, "refusals": 0, "failures": 0, "alarms": 0}
    return PolicyOutcome(
        name=name,
        gate="spec",
        own=own,
        mean=mean,
        regret=0.0,
        in_hindsight=40.0,
        batches=[],
        **counts,
    )


def test_what_is_asked_is_asked_of_the_default_policy():
    others = [policy(c.name, 50.0, retrainings=8) for c in (NEVER, ALWAYS, DEFAULT)]
    own = policy("the model's own (by value)", 40.0, retrainings=8, own=True)
    default = policy(SHIPPED, 42.0, retrainings=4)
    when = {"start": "2020-01-01T00:00:00Z", "end": "2020-10-01T00:00:00Z", "intervals": []}
    model = {"model": "any", "metric": "mae", "unit": "batch", "greater_is_better": False}
    none = Advice(name="", why="", best="", margin=0.0)
    policies = [*others, own, default]
    outcome = ReplayOutcome(**model, **when, policies=policies, best=[], advice=none)
    assert [row["asked"] for row in measure_policy(outcome, own)] == ["", ""]
    error, retrainings = measure_policy(outcome, default)
    assert (error["value"], error["asked"]) == (pytest.approx(5), "<= 10")
    assert (retrainings["value"], retrainings["asked"]) == (4, "<= 4")


def test_the_default_policy_is_what_a_model_has_that_names_none():
    spec = load_spec(ROOT / BIKES.folder, BIKES.model)
    default = parse_policy({"retrain": TRIED[SHIPPED]}, spec, name=SHIPPED, place=SHIPPED)
    assert default.policy is not None
    assert default.policy.by == spec.policy.by == "change"
    assert default.policy.cooldown == spec.policy.cooldown
