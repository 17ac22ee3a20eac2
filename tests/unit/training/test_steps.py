"""Each step that a spec may name is built, fitted and asked; what does not fit is named."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from skops import io

from pipelines.bundle.trusted import TRUSTED
from pipelines.errors import SpecError
from pipelines.spec import Candidate
from pipelines.spec.steps import KINDS
from pipelines.training import estimators
from pipelines.training.parameters import pipeline_parameters
from tests.unit.training.fits import BOOSTED, fit

LINEAR = "sklearn.linear_model.LogisticRegression"
COUNT = 200
WORDS = ["red", "blue", "green", "fast", "slow"]


def table():
    rng = np.random.default_rng(0)
    gaps = [None if i % 11 == 0 else v for i, v in enumerate(rng.gamma(2, 1, COUNT))]
    return pa.table(
        {
            "x": rng.normal(size=COUNT),
            "hour": rng.integers(0, 24, COUNT),
            "spend": pa.array(gaps),
            "town": rng.choice(["oslo", "rome", "lima"], COUNT),
            "title": [" ".join(rng.choice(WORDS, 4)) for _ in range(COUNT)],
            "seen": [
                f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}T{i % 24:02d}:30Z" for i in range(COUNT)
            ],
        }
    )


TABLE = table()
Y = (TABLE["x"].to_numpy() > 0).astype(int)


def candidate_of(*steps, estimator=LINEAR, **fields):
    params = {"max_iter": 5} if estimator == BOOSTED else {"max_iter": 300}
    body = {"name": "t", "estimator": estimator, "steps": list(steps), **fields}
    return Candidate.model_validate({"params": params, **body})


EACH = [
    *({"step": "impute", "strategy": s} for s in ("mean", "most_frequent", "constant", "knn")),
    {"step": "impute", "strategy": "iterative"},
    {"step": "impute", "indicator": True},
    *({"step": "scale", "by": by} for by in ("minmax", "robust", "maxabs", "power", "log")),
    {"step": "scale", "by": "quantile", "columns": ["x"]},
    {"step": "onehot", "columns": ["town"], "min_frequency": 2, "drop": "first"},
    {"step": "onehot", "columns": ["hour"]},
    {"step": "ordinal", "columns": ["town"], "max_categories": 2},
    {"step": "target", "columns": ["town"]},
    {"step": "tfidf", "columns": ["title"], "ngram_range": [1, 2], "sublinear": True},
    {"step": "hash", "columns": ["title"], "features": 16},
    {"step": "dates", "columns": ["seen"], "parts": ["month", "days"]},
    {"step": "cycles", "columns": ["hour"], "period": 24},
    {"step": "bins", "columns": ["x", "spend"], "count": 3},
    {"step": "bins", "columns": ["x"], "encode": "ordinal", "by": "uniform"},
    {"step": "polynomial", "columns": ["x", "hour"]},
    {"step": "pca", "components": 0.9, "columns": ["x", "spend"]},
    {"step": "svd", "components": 2},
    *({"step": "select", "by": by, "count": 2} for by in ("k_best", "model", "variance")),
    *({"step": "resample", "by": by} for by in ("over", "under", "smote")),
]


def test_every_kind_of_step_is_tried():
    names = {name for kind in KINDS for name in kind.model_fields["step"].annotation.__args__}
    assert names - {step["step"] for step in EACH} == set()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", [LINEAR, BOOSTED], ids=["linear", "boosted"])
@pytest.mark.parametrize("step", EACH, ids=lambda s: "-".join(map(str, s.values())))
def test_each_step_learns_answers_and_is_stored(step, estimator):
    model, schema = fit(candidate_of(step, estimator=estimator), TABLE, Y)
    asked = estimators.frame(schema, TABLE)
    found = estimators.answers(model, asked, "binary", None)
    assert np.isfinite(found).all()
    assert len(np.unique(found)) > 1
    assert type(model).__module__ == "sklearn.pipeline"
    again = io.loads(io.dumps(model), trusted=sorted(TRUSTED))
    assert np.array_equal(estimators.answers(again, asked, "binary", None), found)


def test_steps_are_applied_in_their_order_to_their_columns():
    candidate = candidate_of(
        {"step": "impute", "strategy": "constant", "fill": -1},
        {"step": "scale", "by": "minmax", "columns": ["spend"]},
        {"step": "tfidf", "columns": ["title"]},
        {"step": "svd", "columns": ["title"], "components": 2, "name": "topics"},
        {"step": "select", "count": 5},
    )
    model, _ = fit(candidate, TABLE, Y)
    branches = {
        name: (columns, [n for n, _ in getattr(part, "steps", [])])
        for name, part, columns in model.named_steps["encode"].transformers
    }
    assert branches == {
        "numbers_impute": (["x", "hour"], ["impute"]),
        "numbers_impute_scale": (["spend"], ["impute", "scale"]),
        "texts_others": (["town", "seen"], []),
        "texts_title": ("title", ["tfidf", "topics"]),
    }
    assert [name for name, _ in model.steps] == ["encode", "select", "estimator"]


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("C", ["estimator__C"]),
        ("tfidf__max_features", ["encode__texts_title__tfidf__max_features"]),
        ("encode__texts_title__tfidf__min_df", ["encode__texts_title__tfidf__min_df"]),
        (
            "impute__strategy",
            [
                "encode__numbers_impute__impute__strategy",
                "encode__numbers_impute_scale__impute__strategy",
            ],
        ),
    ],
)
def test_a_name_of_params_is_a_parameter_of_the_pipeline(name, full):
    candidate = candidate_of(
        {"step": "impute"},
        {"step": "scale", "columns": ["spend"]},
        {"step": "tfidf", "columns": ["title"]},
    )
    _, schema = fit(candidate_of(), TABLE, Y)
    pipeline = estimators.build_pipeline(candidate, schema, 0, {})
    assert pipeline_parameters(pipeline, candidate, name) == full


def test_parameters_of_steps_are_set_and_unknown_ones_named():
    _, schema = fit(candidate_of(), TABLE, Y)
    candidate = candidate_of(
        {"step": "tfidf", "columns": ["title"]}, params={"tfidf__ngram_range": [1, 2]}
    )
    pipeline = estimators.build_pipeline(candidate, schema, 0, candidate.params)
    values = pipeline.get_params()
    assert values["encode__texts_title__tfidf__ngram_range"] == (1, 2)
    wrong = candidate.model_copy(update={"params": {"tfidf__max_feature": 5}})
    with pytest.raises(SpecError, match="no parameter 'tfidf__max_feature'") as found:
        estimators.build_pipeline(wrong, schema, 0, wrong.params)
    assert "max_features" in found.value.remedy
    assert found.value.at == ("candidates", "t", "params", "tfidf__max_feature")


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([{"step": "tfidf", "columns": ["x"]}], "tfidf takes texts, x holds numbers"),
        ([{"step": "scale", "columns": ["town"]}], "scale takes numbers, town holds texts"),
        (
            [{"step": "onehot", "columns": ["town"]}, {"step": "target", "columns": ["town"]}],
            "town is encoded already",
        ),
        (
            [{"step": "tfidf", "columns": ["title"]}, {"step": "pca", "components": 2}],
            "pca would make the words of title dense",
        ),
        (
            [
                {"step": "scale", "columns": ["x"]},
                {"step": "pca", "columns": ["x", "hour"], "components": 1},
            ],
            "these went through different steps before",
        ),
    ],
)
def test_a_step_that_does_not_fit_its_columns_is_named_with_its_place(steps, why):
    _, schema = fit(candidate_of(), TABLE, Y)
    candidate = candidate_of(*steps)
    with pytest.raises(SpecError, match=why) as found:
        estimators.build_pipeline(candidate, schema, 0, {})
    assert found.value.at[:4] == ("candidates", "t", "steps", len(steps) - 1)
    assert found.value.remedy


def test_a_row_is_not_encoded_by_its_own_target():
    """Each row has a text of its own: encoded by itself it would give its target away."""
    rows = pa.table({"who": [f"n{i}" for i in range(COUNT)], "x": np.zeros(COUNT)})
    y = np.random.default_rng(1).integers(0, 2, COUNT)
    candidate = candidate_of({"step": "target"})
    model, schema = fit(candidate, rows, y)
    seen = model[:-1].fit_transform(estimators.frame(schema, rows), y).ravel()
    assert abs(np.corrcoef(seen, y)[0, 1]) < 0.3


def test_smote_with_a_rare_class_draws_its_rows_again(caplog):
    y = np.zeros(COUNT, dtype=int)
    y[:1] = 1
    model, _ = fit(candidate_of({"step": "resample", "by": "smote"}), TABLE, y)
    assert "resample draws rows again in this fit: a class has one row only" in caplog.text
    assert [name for name, _ in model.steps] == ["encode", "estimator"]
