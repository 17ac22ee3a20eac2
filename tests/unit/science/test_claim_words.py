"""What has changed in what answers claim is said in plain words."""

from __future__ import annotations

import pytest

from pipelines.science.changes.facts import ColumnChange
from pipelines.science.claim_words import is_claim, is_less_true, tell_claim, tell_claims


def claim(method, now, before, name="", nominal=0.0, *, changed=True):
    return ColumnChange(
        name, method, now - before, 0.01, 0.001, changed, now=now, before=before, nominal=nominal
    )


COVERAGE = claim("coverage", 0.78, 0.91, "0.05 to 0.95", 0.9)
BIAS = claim("bias", -0.04, 0.0)
SLOPE = claim("confidence", -0.4, 0.01)
HIGH, LOW = claim("high", -0.06, 0.01), claim("low", 0.05, 0.0, changed=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (COVERAGE, "90% intervals (0.05 to 0.95) cover 78.0%, they covered 91.0%"),
        (BIAS, "probabilities are too high by 0.04 (right on average before)"),
        (
            claim("bias", 0.04, -0.012, "cat"),
            "probabilities of cat are too low by 0.04 (too high by 0.012 before)",
        ),
        (claim("error", -12.5, 0.25), "answers are too high by 12.5 (too low by 0.25 before)"),
        (
            claim("level", 0.12, 0.05, "0.05", 0.05),
            "12.0% of outcomes lie below the level 0.05, 5.0% did",
        ),
        (
            claim("surest", -0.08, 0.001),
            "the likeliest class comes 8.0% less often than it says (0.1% more before)",
        ),
        (HIGH, "probabilities above their mean are too high by 0.06 (too low by 0.01 before)"),
    ],
)
def test_each_claim_says_what_it_is_and_was(change, words):
    assert tell_claim(change) == words


def test_a_slope_is_told_by_where_it_shows():
    assert tell_claim(SLOPE, [SLOPE, HIGH, LOW]) == (
        "probabilities are too extreme (over-confident): probabilities above their mean are too"
        " high by 0.06 (too low by 0.01 before) and probabilities below their mean are too low by"
        " 0.05 (right on average before)"
    )
    assert "(under-confident)" in tell_claim(claim("confidence", 0.4, 0.01))
    assert "more nearly" in tell_claim(claim("confidence", -0.1, 0.5))
    assert tell_claim(claim("confidence", -0.1, 0.0, changed=False)) == (
        "probabilities are as extreme as they were"
    )


def test_only_what_changed_is_told_and_nothing_twice():
    loss = ColumnChange("loss", "mean", 0.1, 0.05, 0.001, changed=True, now=0.2, before=0.1)
    quiet = claim("bias", 0.001, 0.0, changed=False)
    level = claim("level", 0.1, 0.05, "0.05", 0.05)
    assert tell_claims([loss, quiet, level, COVERAGE]) == [tell_claim(COVERAGE)]
    assert tell_claims([HIGH]) == [tell_claim(HIGH)]
    assert tell_claims([HIGH, BIAS]) == [tell_claim(BIAS)]
    assert tell_claims([loss]) == []
    classes = [claim("bias", 0.1, 0.0, name) for name in "abcde"]
    assert tell_claims(classes)[-1] == "and 2 more"
    assert not is_claim(loss)


def test_a_claim_may_become_truer():
    assert is_less_true(COVERAGE)
    assert not is_less_true(claim("coverage", 0.91, 0.78, "0.05 to 0.95", 0.9))
    assert not is_less_true(claim("bias", 0.0, -0.04))
    assert not is_less_true(claim("bias", 0.1, 0.0, changed=False))
