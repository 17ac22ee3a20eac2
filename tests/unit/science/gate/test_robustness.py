"""The input that costs most decides, and a model that answers no longer is refused."""

from __future__ import annotations

from math import inf

import numpy as np

from pipelines.science.gate.robustness import (
    UNSEEN,
    Loss,
    RobustnessFacts,
    check_robustness,
    disturb,
    find_robustness,
)
from pipelines.spec.gate_checks import Robustness
from tests.unit.science.gate.facts import GATE

FACTS = RobustnessFacts(
    "roc_auc",
    500,
    (Loss("missing", "a", 0.02), Loss("missing", "b", 0.3), Loss("noise", "a", -0.01)),
)


def gate(**limits):
    return GATE.model_copy(update={"robustness": Robustness(**limits)})


def check(facts, **limits):
    (found,) = check_robustness(facts, gate(**limits))
    return found


def test_the_input_that_costs_most_decides():
    found = check(FACTS, missing=0.1)
    assert not found.passed
    assert (found.value, found.limit) == (0.3, 0.1)
    assert (
        "b with missing values costs most: the challenger loses 30.0% of its roc_auc"
        in found.detail
    )
    assert found.would_pass == "a loss smaller by 0.2, or gate.robustness.missing: 0.3"
    assert check(FACTS, missing=0.3).passed
    (parts,) = find_robustness(FACTS, gate(missing=0.1))
    assert [(p.name, p.passed) for p in parts.findings] == [("b", False), ("a", True)]


def test_what_helps_or_does_not_apply_passes():
    assert check(FACTS, noise=0).passed
    found = check(FACTS, unseen=0)
    assert found.passed
    assert "no input can be disturbed with texts never seen" in found.detail


def test_a_model_that_answers_no_longer_is_refused_and_so_is_what_is_not_known():
    broken = RobustnessFacts("roc_auc", 9, (Loss("missing", "a", inf, "answers no longer (NaN)"),))
    found = check(broken, missing=5)
    assert not found.passed
    assert found.value is None
    assert "answers no longer" in found.detail
    for nothing in (None, RobustnessFacts(error="it cannot be loaded")):
        assert not check(nothing, noise=1).passed
    assert check_robustness(None, GATE) == []


def test_what_is_disturbed_is_one_row_in_ten():
    rng = np.random.default_rng(1)
    numbers = np.arange(5_000, dtype=np.float32)
    texts = np.array(["a"] * 5_000, dtype=object)
    for found, is_hit in (
        (disturb("missing", numbers, None, rng), np.isnan),
        (disturb("scaled", numbers + 1, None, rng), lambda v: v > 5_001),
        (disturb("swapped", numbers, -numbers - 1, rng), lambda v: v < 0),
        (disturb("unseen", texts, None, rng), lambda v: v == UNSEEN),
        (disturb("missing", texts, None, rng), lambda v: v == ""),
    ):
        assert 0.07 < np.mean(is_hit(found)) < 0.13
    noisy = disturb("noise", numbers, None, rng)
    assert np.std(noisy - numbers) / np.std(numbers) == np.float32(0.1) or (
        0.095 < np.std(noisy - numbers) / np.std(numbers) < 0.105
    )
