"""What a spec may say of candidates, and what is refused at load with its place."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import yaml

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.worlds import SPEC

BODY = yaml.safe_load(SPEC) if isinstance(SPEC, str) else copy.deepcopy(SPEC)
INPUT = BODY["features"]["inputs"][0]
LINEAR = {"name": "linear", "estimator": "sklearn.linear_model.LogisticRegression"}
TREE = {"name": "tree", "estimator": "sklearn.tree.DecisionTreeClassifier"}


def spec_of(*candidates, **train):
    body = copy.deepcopy(BODY)
    body["candidates"] = list(candidates)
    body["train"].update(train)
    return parse_spec(yaml.safe_dump(body, sort_keys=False).encode(), "model.yaml")


def test_lists_and_mappings_are_values_of_parameters():
    spec = spec_of(
        {
            **LINEAR,
            "params": {
                "class_weight": {"yes": 5, "no": 1},
                "encode__numbers__impute__strategy": "mean",
            },
            "search": {"C": [0.1, 1.0], "l1_ratio": {"low": 0.1, "high": 0.9}},
        }
    )
    assert spec.candidates[0].params["class_weight"] == {"yes": 5, "no": 1}


def test_a_stack_knows_its_parts_and_ranks_above_them():
    both = {"name": "both", "stack": ["linear", "tree"], "estimator": LINEAR["estimator"]}
    spec = spec_of(LINEAR, TREE, both, {"name": "voters", "vote": {"linear": 2, "tree": 1}})
    assert [part.name for part in spec.candidate("both").parts] == ["linear", "tree"]
    ranks = [c.rank for c in spec.candidates]
    assert ranks[0] < ranks[1] < ranks[2] == ranks[3]
    again = type(spec).model_validate(spec.model_dump(mode="json"))
    assert [part.name for part in again.candidate("voters").parts] == ["linear", "tree"]


@pytest.mark.parametrize(
    ("candidate", "field", "why"),
    [
        (
            {**LINEAR, "name": "x", "stack": ["linear", "nobody"]},
            "stack.1",
            "no candidate 'nobody'",
        ),
        ({"name": "x", "vote": ["linear", "linear"]}, "vote.1", "stands twice"),
        ({"name": "x", "vote": ["linear", "x"]}, "vote.1", "is a stack, a vote"),
        ({"name": "x"}, "", "`estimator` is missing"),
        ({**LINEAR, "name": "x", "vote": ["linear", "tree"]}, "", "stands alone"),
        ({**LINEAR, "name": "x", "steps": [{"step": "scal"}]}, "steps.0", "must be one of"),
        ({**LINEAR, "name": "x", "steps": [{"step": "dates"}]}, "steps.0.columns", "missing"),
        (
            {**LINEAR, "name": "x", "steps": [{"step": "scale", "columns": ["nowhere"]}]},
            "steps.0.columns.0",
            "'nowhere' is no input",
        ),
        (
            {**LINEAR, "name": "x", "steps": [{"step": "resample"}, {"step": "scale"}]},
            "steps.0.step",
            "must be the last step",
        ),
        (
            {**LINEAR, "name": "x", "steps": [{"step": "pca", "components": 2}, {"step": "scale"}]},
            "steps.1.step",
            "stands after pca",
        ),
        (
            {**LINEAR, "name": "x", "steps": [{"step": "svd", "components": 0.5}]},
            "steps.0",
            "whole",
        ),
        (
            {**LINEAR, "name": "x", "encode": "onehot", "steps": [{"step": "ordinal"}]},
            "",
            "keep one",
        ),
        (
            {"name": "x", "estimator": "sklearn.ensemble.StackingClassifier"},
            "estimator",
            "`stack: [names of candidates]`",
        ),
        (
            {"name": "x", "estimator": "pnboost.LGBMClassifier", "early_stopping": {}},
            "early_stopping",
            "cannot stop on rows that are held back",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_at_load(candidate, field, why):
    with pytest.raises(SpecError) as found:
        spec_of(LINEAR, TREE, candidate)
    assert f"candidates.2.{field}".rstrip(".") in str(found.value)
    assert why in str(found.value)


def test_weights_are_no_input():
    assert "heavy" in spec_of(LINEAR, sample_weight="heavy").built_columns
    with pytest.raises(SpecError, match=r"train\.sample_weight"):
        spec_of(LINEAR, sample_weight=INPUT)


def test_a_spec_is_read_without_importing_what_it_names():
    candidates = [{"name": "x", "estimator": "xgboost.XGBClassifier"}]
    candidates += [{"name": "y", "estimator": "nowhere.Forest"}]
    text = yaml.safe_dump({**BODY, "candidates": candidates}).encode()
    code = (
        "import sys\nfrom pipelines.spec import parse_spec\n"
        f"parse_spec({text!r}, 'm')\n"
        "assert not {'xgboost', 'sklearn', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_required_packages_class_is_fenced_and_what_the_lock_has_is_not():
    other = {"name": "other", "estimator": "pnboost.Tree"}
    both = {"name": "both", "vote": ["linear", "other"]}
    body = {**copy.deepcopy(BODY), "candidates": [LINEAR, other, both]}

    def fenced(body):
        spec = parse_spec(yaml.safe_dump(body, sort_keys=False).encode(), "model.yaml")
        return [c.name for c in spec.candidates if c.fenced]

    assert fenced(body) == []  # nothing is required: the steps must find it themselves
    assert fenced({**body, "requires": ["pnboost==1.0"]}) == ["other", "both"]
