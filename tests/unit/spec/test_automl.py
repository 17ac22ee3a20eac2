"""`automl`: candidates that the spec alone decides, within one budget."""

from __future__ import annotations

import pytest
import yaml

from pipelines.errors import SpecError
from pipelines.spec import ESTIMATORS, Spec, parse_spec
from pipelines.spec.automl import REASONS, why_skipped
from tests.unit.spec.broken_specs import broken
from tests.unit.steps.learning import spec_text


def parsed(task="binary", **changes) -> Spec:
    body = yaml.safe_load(spec_text(task))
    body.update(changes)
    body = {key: value for key, value in body.items() if value is not None}
    return parse_spec(yaml.safe_dump(body).encode(), "model.yaml")


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_candidates_need_not_be_written(task):
    spec = parsed(task, automl=True, candidates=None)
    names = [c.name for c in spec.candidates]
    assert names[:4] == ["baseline", "linear", "forest", "boosted"]
    assert all(task in ESTIMATORS[c.estimator].tasks for c in spec.candidates)
    assert set(names) <= set(REASONS)
    assert spec == parsed(task, automl=True, candidates=None)


def test_the_budget_is_shared_out():
    spec = parsed(automl={"trials": 30, "minutes": 10}, candidates=None)
    searched = [c for c in spec.candidates if c.search]
    assert abs(sum(c.limits.trials for c in searched) - 30) <= len(searched)
    assert sum(c.limits.minutes for c in searched) == pytest.approx(10)
    assert all(c.method == "optuna" for c in searched)


def test_what_is_written_stands_first_and_its_names_are_kept():
    spec = parsed(automl=True)
    assert [c.name for c in spec.candidates][:2] == ["baseline", "linear"]
    assert not spec.candidate("linear").search
    assert not spec.is_proposed("linear")
    assert spec.is_proposed("boosted")


def test_a_spec_that_was_written_out_reads_as_the_same():
    spec = parsed(automl=True, candidates=None)
    assert Spec.model_validate_json(spec.model_dump_json()) == spec


def test_without_it_candidates_are_needed():
    assert "candidates" in broken(lambda body: body.pop("candidates"))


@pytest.mark.parametrize("value", [{"trials": 0}, {"hours": 3}, "yes please"])
def test_a_budget_that_makes_no_sense_is_refused(value):
    with pytest.raises(SpecError, match="automl"):
        parsed(automl=value)


def test_a_forest_is_skipped_where_rows_are_many_and_the_words_say_why():
    assert why_skipped("forest", 10_000, 20) == ""
    assert "2,000,000 rows of 20 inputs are too many" in why_skipped("forest", 2_000_000, 20)
    assert why_skipped("boosted", 2_000_000, 20) == ""
