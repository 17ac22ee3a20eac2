"""A claim that fails is a change of performance, named by what failed; one that holds is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.watching.claiming import HOLDS, TASKS, Failure, make_claims
from benchmarks.watching.shifts import CLAIM_SHIFTS, make_shifted, shape_of
from benchmarks.watching.worlds import Shape
from pipelines.science.changes.find import find_changes
from pipelines.science.claim_words import tell_claims

SHAPE = Shape("independent", 1_000, 3, 1, 10)
LEVEL, WORLDS = 0.1, 40


def look(kind, failure, seed=5, shape=SHAPE, level=0.01):
    window, reference = make_claims(kind, shape, seed, failure)
    span = "row" if shape.alike == "independent" else "day"
    found = find_changes(window, reference, level=level, span=span, seed=seed, least=30)
    return next(f for f in found.families if f.family == "performance")


@pytest.mark.parametrize(
    ("kind", "failure", "seen", "words"),
    [
        ("probabilities", Failure(times=1 / 1.5), "confidence", "too extreme (over-confident)"),
        ("probabilities", Failure(times=1.7), "confidence", "(under-confident)"),
        ("probabilities", Failure(moved=0.6), "bias", "probabilities are too low by 0."),
        ("probabilities", Failure(moved=-0.6), "bias", "probabilities are too high by 0."),
        ("classes", Failure(times=1 / 1.6), "confidence", "too extreme (over-confident)"),
        ("classes", Failure(moved=1.0), "bias", "probabilities of 0 are too low by 0."),
        ("intervals", Failure(times=1.283), "coverage", "90% intervals (0.05 to 0.95) cover"),
        ("intervals", Failure(times=0.7), "coverage", "they covered"),
        ("values", Failure(moved=0.3), "error", "answers are too low by 0."),
    ],
)
def test_a_claim_that_fails_is_seen_and_named(kind, failure, seen, words):
    found = look(kind, failure)
    assert found.said == "changed"
    changed = {c.method: c for c in found.columns if c.changed}
    assert seen in changed
    assert any(words in told for told in tell_claims(found.columns))
    claim = changed[seen]
    assert abs(claim.now - claim.nominal) > abs(claim.before - claim.nominal)
    assert abs(claim.statistic) > claim.critical


def test_a_model_too_sure_of_itself_is_seen_where_its_loss_says_nothing():
    sides = make_claims("probabilities", SHAPE, 5, Failure(times=1 / 1.5))
    even = [replace(side, losses=np.full(side.rows, 0.2)) for side in sides]
    found = find_changes(*even, level=0.01, span="row", seed=1, least=30).families[-1]
    assert found.said == "changed"
    assert not next(c for c in found.columns if c.name == "loss").changed


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(
    "shape",
    [
        Shape("independent", 60, 3, 1, 10),
        Shape("rows", 50, 3, 1, 60),
        Shape("days", 50, 3, 1, 200),
    ],
)
def test_claims_that_hold_are_called_changed_no_more_often_than_asked(kind, shape):
    said = [look(kind, HOLDS, seed, shape, LEVEL).said for seed in range(WORLDS)]
    rate = said.count("changed") / WORLDS
    assert rate <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / WORLDS) ** 0.5
    assert "unchanged" in said


def test_beside_inputs_the_family_says_what_it_says_by_itself_at_its_share_of_the_level():
    scene, shift = ("independent rows", 200), CLAIM_SHIFTS[0]
    kind, failure = shift.claims
    beside = find_changes(*make_shifted(scene, shift, 3), level=0.05, span="row", seed=3, least=50)
    alone = make_claims(kind, shape_of(scene), 3, failure)
    found = find_changes(*alone, level=0.05 / 5, span="row", seed=3, least=50)
    assert beside.families[-1] == found.families[-1]


def test_rows_without_a_label_count_on_neither_side():
    window, reference = make_claims("intervals", SHAPE, 5)
    half = np.arange(window.rows) % 2 == 0
    gone = replace(
        window,
        losses=np.where(half, window.losses, np.nan),
        claims=tuple(replace(c, values=np.where(half, c.values, np.nan)) for c in window.claims),
    )
    told = [
        find_changes(side, reference, level=0.05, span="row", seed=1, least=30).families[-1]
        for side in (gone, window.take(half))
    ]
    assert told[0] == told[1]


def test_claims_of_one_side_alone_are_left_out():
    window, reference = make_claims("intervals", SHAPE, 5)
    bare = replace(reference, claims=())
    found = find_changes(window, bare, level=0.05, span="row", seed=1, least=30)
    assert [(c.name, c.method) for c in found.families[-1].columns] == [("loss", "mean")]
