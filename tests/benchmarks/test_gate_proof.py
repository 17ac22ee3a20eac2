"""The gate against bad models and bad evaluations.

`make gate-proof` prints the table, with the models that are better, and as good.
What is killed today must stay killed.
"""

from __future__ import annotations

import pytest

from benchmarks.gate_proof import quiet
from benchmarks.proving import rules
from benchmarks.proving.bad_models import BAD
from benchmarks.proving.kept_server import KeptServer
from benchmarks.proving.outcomes import judge
from benchmarks.proving.scene import Scene
from benchmarks.proving.world import World

WORTHLESS = {"roc_auc", "versus champion", "guard log_loss"}
KILLED_BY = {
    "shuffled labels": WORTHLESS,
    "leak": {"leak"},
    "constant": WORTHLESS,
    "stale": WORTHLESS,
    "broken slice": {"slices"},
    "biased": {"calibration_error"},
    "over-confident": {"guard log_loss"},
    "under-confident": {"guard log_loss"},
    "shifted": {"guard log_loss"},
    "slow": {"latency"},
    "huge": {"size"},
    "swapped sides": {"versus champion"},
    "NaN metric": WORTHLESS,
    "one NaN": WORTHLESS,
    "empty holdout": {"BadData"},
    "holdout seen by challenger": {"unseen"},
    "holdout seen by champion": {"unseen"},
    "tie": {"versus champion"},
    "worse by a hair": {"versus champion"},
    "better only by luck": {"versus champion"},
    "off by one row": WORTHLESS,
    "one class in the holdout": {"roc_auc", "versus champion"},
    "missing metric": {"precision"},
    "champion cannot be loaded": {"roc_auc"},
}
"""Checks that refuse each case, or the error that ends its run; others may refuse it too."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    quiet()
    home = tmp_path_factory.mktemp("proof")
    with KeptServer() as servers:
        yield Scene(lambda: World(home, servers=servers))


def test_no_case_is_taken_out():
    assert len(BAD) == 24
    assert [bad.name for bad in BAD] == list(KILLED_BY)


def test_what_the_cases_spoil_is_promoted_as_long_as_it_is_whole(scene):
    outcome = judge(scene.world, scene.again(scene.better))
    assert (outcome.promoted, outcome.reasons) == (True, ())
    assert outcome.promoted_by == tuple(rules.RULES)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_what_was_killed_stays_killed(scene, bad):
    outcome = judge(*bad.make(scene))
    assert not outcome.promoted
    assert KILLED_BY[bad.name] <= set(outcome.checks), outcome.reasons


GOOD, POOR = {"roc_auc": 0.8}, {"roc_auc": 0.65}


@pytest.mark.parametrize("rule", rules.RULES.values())
def test_each_rule_promotes_what_is_clearly_better(rule):
    assert rule(GOOD, POOR)
    assert rule(GOOD, None)


@pytest.mark.parametrize(
    ("name", "promotes"),
    [
        ("any better metric", False),
        ("better by 1 %", False),
        ("a floor alone (SageMaker's example)", True),
        ("MLflow: floor and 1 % better", False),
        ("TFX Evaluator: floor and not worse", True),
    ],
)
def test_rules_differ_in_what_a_tie_means(name, promotes):
    assert rules.RULES[name](GOOD, GOOD) is promotes


def test_rules_that_know_no_floor_promote_anything_where_there_is_no_champion():
    useless = {"roc_auc": 0.5}
    promoted = [name for name, rule in rules.RULES.items() if rule(useless, None)]
    assert promoted == ["any better metric", "better by 1 %"]
