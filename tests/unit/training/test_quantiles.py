"""Quantiles as they are fitted: each level by itself, corrected on rows that it has not seen."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.rows import schema_of
from pipelines.errors import BadData
from pipelines.spec import Candidate
from pipelines.spec.quantiles import Quantiles
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.quantiles import refuse_too_few, split_rows
from tests.unit.training.fits import LOG

LEVELS = [0.1, 0.5, 0.9]
BOOSTED = "sklearn.ensemble.HistGradientBoostingRegressor"
RIDGE = "sklearn.linear_model.Ridge"
RNG = np.random.default_rng(4)


def rows(count, seed=0):
    """Outcomes around x whose spread grows with it."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 3, count)
    table = pa.table({"x": x, "shop": rng.choice(["a", "b"], count)})
    return table, x + rng.normal(size=count) * (0.2 + x)


def candidate(estimator, *, conformal=None, in_time=True, levels=LEVELS, **fields):
    params = {"max_iter": 20} if estimator == BOOSTED else {}
    body = {"name": "tried", "estimator": estimator, "params": params, **fields}
    found = Candidate.model_validate(body)
    found.place([found], in_time=in_time, quantiles=Quantiles(levels=levels, conformal=conformal))
    return found


def fit(tried, table, y, *, groups=None, weights=None):
    levels = tried.quantiles.levels
    schema = schema_of(table, table.column_names, "quantiles", None, levels)
    pipeline = estimators.build_pipeline(tried, schema, 0, tried.params)
    inputs = estimators.frame(schema, table)
    model = fit_pipeline(pipeline, inputs, y, tried, LOG, groups=groups, weights=weights)
    return model, schema


def ask(model, schema, table):
    return estimators.answers(model, estimators.frame(schema, table), "quantiles", None)


def test_each_level_is_learnt_by_itself():
    table, y = rows(2_000)
    model, schema = fit(candidate(BOOSTED), table, y)
    fresh, truth = rows(2_000, seed=1)
    answers = ask(model, schema, fresh)
    shares = [(truth <= answers[:, i]).mean() for i in range(3)]
    assert shares == pytest.approx(LEVELS, abs=0.05)
    wide = answers[:, 2] - answers[:, 0]
    x = fresh["x"].to_numpy()
    assert wide[x > 2].mean() > 2 * wide[x < 1].mean()


@pytest.mark.parametrize("estimator", [RIDGE, BOOSTED])
def test_a_promise_holds_on_fresh_rows_however_bad_the_model(estimator):
    table, y = rows(1_000)
    model, schema = fit(candidate(estimator, conformal=True), table, y)
    fresh, truth = rows(4_000, seed=1)
    answers = ask(model, schema, fresh)
    covered = ((truth >= answers[:, 0]) & (truth <= answers[:, 2])).mean()
    # One calibration of 200 rows varies by sqrt(0.8 * 0.2 / 200); three of them and of the rows.
    assert 0.8 - 3 * 0.029 < covered < 0.8 + 3 * 0.029


def test_the_newest_rows_correct_and_are_not_learnt_from():
    table, y = rows(400)
    changed = y.copy()
    changed[320:] += 1_000
    tried = candidate(RIDGE, conformal=True)
    (model, schema), (other, _) = fit(tried, table, y), fit(tried, table, changed)
    core = [m.named_steps["estimator"] for m in (model, other)]
    assert core[0].estimators_[0].coef_.tolist() == core[1].estimators_[0].coef_.tolist()
    assert core[1].shifts_ == pytest.approx(core[0].shifts_ + 1_000)
    assert ask(other, schema, table) == pytest.approx(ask(model, schema, table) + 1_000)


def test_the_encoders_do_not_see_the_rows_that_correct():
    table, y = rows(400)
    shops = np.array(table["shop"].to_pylist(), dtype=object)
    shops[320:] = "new"
    table = table.set_column(1, "shop", pa.array(shops))
    model, _ = fit(candidate(RIDGE, conformal=True), table, y)
    encoder = model.named_steps["encode"].named_transformers_
    known = [str(c) for t in encoder.values() for c in np.ravel(_categories(t))]
    assert "a" in known
    assert "new" not in known


def _categories(transformer):
    steps = [s for _, s in transformer.steps] if hasattr(transformer, "steps") else [transformer]
    found = [c for s in steps for c in getattr(s, "categories_", [])]
    return np.concatenate(found) if found else []


def test_without_time_whole_groups_correct_the_same_each_time():
    tried = candidate(RIDGE, conformal=True, in_time=False)
    groups = np.repeat(np.arange(50), 8)
    learn, correct = split_rows(tried, 400, groups)
    assert not set(groups[learn]) & set(groups[correct])
    assert len(set(groups[correct])) == 10
    assert sorted([*learn, *correct]) == list(range(400))
    assert split_rows(tried, 400, groups)[1].tolist() == correct.tolist()
    assert correct.tolist() != list(range(320, 400))


def test_too_few_rows_or_groups_to_correct_on_are_refused_with_their_place():
    table, y = rows(60)
    tried = candidate(RIDGE, conformal=True, in_time=False, levels=[0.05, 0.95])
    with pytest.raises(BadData, match=r"12 rows are left.*fewer than 19") as error:
        fit(tried, table, y)
    assert error.value.at == ("quantiles", "conformal")
    table, y = rows(400)
    with pytest.raises(BadData, match=r"10 groups are left"):
        fit(tried, table, y, groups=np.repeat(np.arange(50), 8))


def test_without_a_promise_few_rows_are_no_matter():
    table, y = rows(60)
    model, schema = fit(candidate(BOOSTED), table, y)
    assert ask(model, schema, table).shape == (60, 3)


def test_weights_count_in_the_fits_and_a_search_reaches_the_estimator():
    table, y = rows(300)
    weights = RNG.uniform(0, 1, 300)
    tried = candidate(BOOSTED, conformal=True)
    model, _ = fit(tried, table, y, weights=weights)
    assert model.named_steps["estimator"].estimators_[0].max_iter == 20
    plain, _ = fit(tried, table, y)
    assert ask(model, _, table).tolist() != ask(plain, _, table).tolist()


def test_weights_do_not_count_in_the_correction_and_it_is_said_once(caplog):
    table, y = rows(400)
    last = np.r_[np.ones(320), RNG.uniform(0, 1, 80)]
    tried = candidate(RIDGE, conformal=True)
    with caplog.at_level("WARNING", logger=LOG.name):
        (weighted, _), (plain, _) = fit(tried, table, y, weights=last), fit(tried, table, y)
    shifts = [m.named_steps["estimator"].shifts_.tolist() for m in (weighted, plain)]
    assert shifts[0] == shifts[1]
    said = [r.getMessage() for r in caplog.records if "sample_weight" in r.getMessage()]
    assert len(said) == 1
    assert "coverage is promised for rows, each of which counts once" in said[0]


def test_a_vote_is_the_weighted_mean_at_each_level_and_is_corrected_as_a_whole():
    table, y = rows(1_000)
    parts = [candidate(BOOSTED), candidate("sklearn.linear_model.QuantileRegressor")]
    parts = [part.model_copy(update={"name": name}) for part, name in zip(parts, "ab", strict=True)]
    quantiles = Quantiles(levels=LEVELS, conformal=True)
    voters = {}
    for corrected in (False, True):
        vote = Candidate.model_validate({"name": "both", "vote": {"a": 3, "b": 1}})
        own = quantiles if corrected else Quantiles(levels=LEVELS)
        for one in (*parts, vote):
            one.place(parts, in_time=True, quantiles=own)
        voters[corrected], schema = fit(vote, table, y)
    answers = ask(voters[False], schema, table)
    frame = estimators.frame(schema, table)
    members = [m.predict(frame) for m in voters[False].named_steps["estimator"].estimators_]
    assert answers == pytest.approx(np.average(members, axis=0, weights=[3, 1]))
    assert (np.diff(answers, axis=1) >= 0).all()
    fresh, truth = rows(4_000, seed=1)
    held = ask(voters[True], schema, fresh)
    covered = ((truth >= held[:, 0]) & (truth <= held[:, 2])).mean()
    assert 0.8 - 3 * 0.029 < covered < 0.8 + 3 * 0.029


def test_where_no_input_tells_anything_the_constant_takes_its_place():
    table = pa.table({"x": np.ones(100)})
    y = np.arange(100.0)
    model, schema = fit(candidate(BOOSTED), table, y)
    assert ask(model, schema, table)[0] == pytest.approx(np.quantile(y, LEVELS), abs=1)


def test_the_best_constant_is_the_quantiles_of_what_was_learnt_from():
    y = np.arange(101.0)
    found = estimators.constant(y, "quantiles", "pinball", 2, None, LEVELS)
    assert found.tolist() == [[10, 50, 90], [10, 50, 90]]


def test_rows_that_are_too_few_for_a_promise_are_told_before_any_fit():
    tried = candidate(RIDGE, conformal=True, levels=[0.05, 0.95])
    refuse_too_few(tried, 95, None)
    with pytest.raises(BadData, match=r"18 rows are left"):
        refuse_too_few(tried, 90, None)
    refuse_too_few(tried.without_correction(), 5, None)
