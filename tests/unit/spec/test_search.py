"""How a search is spread: how many trials at once, and where there is nothing to spread."""

from __future__ import annotations

import pytest

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from pipelines.spec.search import round_size
from tests.unit.steps.learning import spec_of_candidate

LINEAR = "estimator: sklearn.linear_model.LogisticRegression"
C = "search: {C: {low: 0.001, high: 10}}"


def spec(line, search="{parallel: 8}"):
    return parse_spec((spec_of_candidate(line) + f"search: {search}\n").encode(), "model.yaml")


@pytest.mark.parametrize(
    ("line", "at_once"),
    [
        (f"{LINEAR}, method: optuna, budget: 40, {C}", 8),
        (f"{LINEAR}, method: optuna, budget: 20, {C}", 5),
        (f"{LINEAR}, method: optuna, budget: 3, {C}", 1),
        (f"{LINEAR}, method: random, budget: 20, {C}", 8),
        (f"{LINEAR}, budget: 3, {C}", 3),
        (f"{LINEAR}, search: {{C: [1.0, 2.0], fit_intercept: [true, false]}}", 4),
        (f"{LINEAR}, method: grid, search: {{C: [1.0, 2.0]}}", 2),
        (f"{LINEAR}, method: halving, budget: 9, {C}", 8),
    ],
)
def test_no_more_trials_at_once_than_there_are_and_optuna_learns_between(line, at_once):
    found = spec(line)
    assert found.candidate("tried").most_at_once(found.search.parallel) == at_once
    assert found.candidate("tried").most_at_once(1) == 1
    assert found.candidate("baseline").most_at_once(8) == 1


def test_by_itself_nothing_is_spread():
    assert parse_spec(spec_of_candidate(LINEAR).encode(), "model.yaml").search.parallel == 1


@pytest.mark.parametrize("count", [1, 3, 4, 7, 40, 1_000])
@pytest.mark.parametrize("parallel", [1, 2, 8, 64])
def test_optuna_has_four_rounds_at_least_where_there_are_four_trials(count, parallel):
    size = round_size(count, parallel)
    assert 1 <= size <= parallel
    assert -(-count // size) >= min(count, 4)


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("{parallel: 0}", "search.parallel"),
        ("{parallel: 65}", "search.parallel"),
        ("{parallel: many}", "search.parallel"),
        ("{workers: 8}", "search.workers"),
    ],
)
def test_what_it_may_not_say_is_named_with_its_place(search, words):
    with pytest.raises(SpecError, match=words):
        spec(f"{LINEAR}, {C}", search)


def test_a_search_that_is_spread_needs_one():
    with pytest.raises(SpecError, match=r"search.parallel: no candidate has a `search`"):
        spec(LINEAR)
    assert spec(LINEAR, "{parallel: 1}").search.parallel == 1


def test_what_automl_proposes_is_spread_too():
    text = spec_of_candidate(LINEAR) + "automl: {trials: 80}\nsearch: {parallel: 4}\n"
    found = parse_spec(text.encode(), "model.yaml")
    at_once = {c.name: c.most_at_once(found.search.parallel) for c in found.candidates}
    assert at_once == {
        "baseline": 1,
        "tried": 1,
        "linear": 4,
        "forest": 2,
        "boosted": 4,
        "lightgbm": 4,
    }
