"""`perennial check` refuses on a sample what `train` would refuse: with the line, and what to write
instead.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.worlds import DAYS

COLUMN = "{column: bought, known_after: 1h}"
FOREIGN = re.compile(r"pydantic|pyarrow|pandas|numpy|DataFrame|ndarray|int64|dtype", re.IGNORECASE)
REGRESSION = (
    ("task: binary", "task: regression"),
    ("roc_auc", "rmse"),
    ("at_least", "at_most"),
    ("DummyClassifier", "DummyRegressor"),
    ("LogisticRegression, search: {C: [0.1, 1.0]}", "Ridge"),
)


def respec(world, *changes):
    for old, new in changes:
        world.respec(old, new)


def rebuild(world, *changes):
    path = world.home / "models" / "sales" / "features.py"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def retarget(world, values):
    """Let the target be one of these values instead of 0 and 1."""
    (world.home / "expectations" / "sales.json").write_text('{"name": "s", "expectations": []}')
    for day in range(DAYS):
        frame = world.frame(day)
        world.rewrite(day, frame.assign(bought=[values[b % len(values)] for b in frame.bought]))
    literal = repr(values[-1])
    rebuild(
        world,
        ("bought=_.bought == 1", "bought=_.bought"),
        ("_.bought.sum()", f"(_.bought == {literal}).sum()"),
    )


def check(command):
    done = command("check", "sales", "--json")
    return done.returncode, json.loads(done.stdout)[-1]


YES = ("no", "yes")
REFUSALS = {
    "a text target without positive": (
        lambda w: retarget(w, YES),
        "11: target.column: The target bought holds texts",
        'positive: "yes"',
    ),
    "positive as YAML reads it": (
        lambda w: (retarget(w, YES), respec(w, (COLUMN, "{column: bought, positive: yes}"))),
        "11: target.positive: 'True' is none of the values of bought: 'no', 'yes'",
        "write it in quotes",
    ),
    "two numbers without positive": (
        lambda w: retarget(w, (1, 2)),
        "11: target.column: The target bought of a binary task holds values besides 0 and 1",
        "positive: 1}",
    ),
    "a single class": (
        lambda w: retarget(w, (0, 0)),
        "11: target.column: The target bought is the same (0) in all 1195 training rows",
        "choose a target that varies",
    ),
    "all-zero regression": (
        lambda w: (retarget(w, (0, 0)), respec(w, *REGRESSION)),
        "11: target.column: The target bought is the same (0.0)",
        "choose a target that varies",
    ),
    "a text target of a regression": (
        lambda w: (retarget(w, YES), respec(w, *REGRESSION)),
        "11: target.column: The target bought holds texts, which a regression task cannot learn",
        "use the task multiclass",
    ),
    "a parameter out of its range": (
        lambda w: respec(w, ("[0.1, 1.0]", "[0.1, -1.0]")),
        "16: candidates.linear.search.C: C must be a number in the range (0.0, inf], found -1.0",
        "mend `params` or `search`",
    ),
    "a parameter of another type": (
        lambda w: respec(w, ("search: {C: [0.1, 1.0]}", "params: {max_iter: many}")),
        "16: candidates.linear.params.max_iter: max_iter must be a whole number in the range",
        "mend `params` or `search`",
    ),
    "parameters that do not go together": (
        lambda w: respec(w, ("search: {C: [0.1, 1.0]}", "params: {solver: lbfgs, l1_ratio: 1.0}")),
        "16: candidates.linear: linear (sklearn.linear_model.LogisticRegression) could not be",
        "choose another estimator",
    ),
    "an input that is a time": (
        lambda w: respec(w, ("[pages,", "[at, pages,")),
        "12: features.inputs.at: The column at holds times, which are no input",
        "build a number",
    ),
    "a minimum of rows that is never reached": (
        lambda w: respec(w, ("min_rows: 50", "min_rows: 100000")),
        "20: gate.min_rows: the holdout (1 batch) holds 220 rows whose outcome is known",
        "write `train: {holdout: 2 batches}` and `gate: {min_rows: 440}`",
    ),
    "a holdout that is too small": (
        lambda w: respec(w, ("min_rows: 50", "min_rows: 1000")),
        "20: gate.min_rows: the holdout (1 batch) holds 220 rows whose outcome is known",
        "write `train: {holdout: 5 batches}` or `gate: {min_rows: 220}`",
    ),
    "labels that come after the holdout": (
        lambda w: respec(w, ("known_after: 1h", "known_after: 3d")),
        "11: target.known_after: No row of the batches 2024-01-08T00 to 2024-01-08T00",
        "or a shorter known_after",
    ),
    "too few batches": (
        lambda w: respec(w, ("holdout: 1 batch,", "holdout: 8 batches,")),
        "13: train.holdout: As of 2024-01-09T00:00:00Z there are 8 complete batches",
        "or a shorter train.holdout",
    ),
    "a holdout of one class": (
        lambda w: w.rewrite(7, w.frame(7).assign(bought=1)),
        "13: train.holdout: the 220 held-out rows show 1 value of bought, so roc_auc (the rows",
        "use a longer train.holdout",
    ),
    "an expression over a column that is not there": (
        lambda w: respec(w, (COLUMN, '{column: late, expression: "delay > 15"}')),
        "11: target.expression: build returns no column 'delay'",
        "build returns visit, at, pages",
    ),
    "a made key that build drops": (
        lambda w: respec(w, ("key: [visit]", "key: row")),
        "build returned no column row_key",
        "the main table has row_key, which build must pass on",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_train_would_refuse_is_refused_with_its_line(command, world, name):
    break_it, where, remedy = REFUSALS[name]
    break_it(world)
    code, found = check(command)
    assert (code, found["ok"]) == (65, False)
    assert where in found["detail"]
    assert remedy in found["detail"]
    assert not FOREIGN.search(found["detail"])


def test_folds_that_no_label_reaches_are_refused(command, world):
    respec(world, ("known_after: 1h", "known_after: 23h"), ("window: 5 batches", "window: 1 batch"))
    respec(world, ("min_rows: 50", "min_rows: 2"))
    code, found = check(command)
    assert (code, found["check"]) == (65, "training")
    assert re.search(r"model.yaml:1[13]: (train.folds|target.known_after): No ", found["detail"])


@pytest.mark.parametrize(
    "mend",
    [
        pytest.param(
            lambda w: (
                retarget(w, YES),
                respec(w, (COLUMN, '{column: bought, known_after: 1h, positive: "yes"}')),
            ),
            id="texts",
        ),
        pytest.param(
            lambda w: (
                retarget(w, (1, 2)),
                respec(w, (COLUMN, "{column: bought, known_after: 1h, positive: 2}")),
            ),
            id="numbers",
        ),
        pytest.param(
            lambda w: (
                rebuild(w, ("bought=_.bought == 1", "waited=_.minutes * 2")),
                respec(w, (COLUMN, '{expression: "waited > 20"}')),
            ),
            id="derived",
        ),
        pytest.param(lambda w: respec(w, ("[visit]", "[visit, at]")), id="a key with the time"),
        pytest.param(
            lambda w: (
                respec(w, ("key: [visit]", "key: row")),
                rebuild(w, ('"visit",', '"row_key",')),
            ),
            id="a made key",
        ),
    ],
)
def test_what_train_takes_is_green(command, world, mend):
    mend(world)
    code, found = check(command)
    assert (code, found["check"], found["ok"]) == (0, "training", True), found["detail"]


def test_one_positive_among_many_is_looked_for_in_all_rows_and_said(command, world):
    for day in range(DAYS):
        world.rewrite(day, world.frame(day).assign(bought=0))
    frame = world.frame(3)
    frame.loc[5, "bought"] = 1
    world.rewrite(3, frame)
    code, found = check(command)
    assert code == 65
    assert "fold" in found["detail"] or "held-out rows show 1 value" in found["detail"]
    assert "is the same" not in found["detail"]


def test_thirty_rows_in_all_are_told_what_to_write_and_are_then_green(command, world):
    (world.home / "expectations" / "sales.json").write_text('{"name": "s", "expectations": []}')
    for day in range(DAYS):
        world.rewrite(day, world.frame(day).iloc[::60].head(4))
    code, found = check(command)
    assert code == 65
    assert "holds 4 rows whose outcome is known. The gate needs 50" in found["detail"]
    assert "write `train: {holdout: 2 batches}` and `gate: {min_rows: 8}`" in found["detail"]
    respec(world, ("holdout: 1 batch", "holdout: 2 batches"), ("min_rows: 50", "min_rows: 8"))
    code, found = check(command)
    assert (code, found["check"]) == (0, "training"), found["detail"]


def test_labels_that_wait_are_counted_apart_from_those_that_are_missing(command, world):
    frame = world.frame(4).astype({"bought": "float64"})
    frame.loc[:9, "bought"] = None
    world.rewrite(4, frame)
    (world.home / "expectations" / "sales.json").write_text('{"name": "s", "expectations": []}')
    code, found = check(command)
    assert code == 0, found["detail"]
    assert "20 rows wait for their label, which is known 1h after the event" in found["detail"]
    assert "10 rows have no label though it should be known by now" in found["detail"]


MAKE = """
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import QuantileRegressor
from sklearn.pipeline import Pipeline


def make(numbers, level):
    pages = ColumnTransformer([("pages", "passthrough", ["pages"])])
    return Pipeline([("pages", pages), ("line", QuantileRegressor(quantile=level, alpha=1.0))])
"""
QUANTILES = (
    ("task: binary", "task: quantiles\nquantiles: {levels: [0.1, 0.9], conformal: true}"),
    (COLUMN, "{column: waited, known_after: 1h}"),
    ("roc_auc", "pinball"),
    ("at_least", "at_most"),
    ("DummyClassifier", "DummyRegressor"),
    (
        "estimator: sklearn.linear_model.LogisticRegression, search: {C: [0.1, 1.0]}",
        "pipeline: make",
    ),
)


def test_an_own_pipeline_of_quantiles_is_told_what_it_lacks_and_that_weights_do_not_promise(
    command, world
):
    rebuild(world, ("bought=_.bought == 1", "bought=_.bought == 1, waited=_.minutes, w=_.minutes"))
    respec(world, *QUANTILES, ("train: {", "train: {sample_weight: w, "))
    code = world.home / "models" / "sales" / "model.py"
    code.write_text(MAKE.replace("level):", "shape=0.5):").replace("=level", "=shape"))
    status, found = check(command)
    assert status == 65
    assert "candidates.linear" in found["detail"]
    assert "`make` of model.py asks for no 'level'" in found["detail"]
    assert "write `def make(level)`" in found["detail"]
    code.write_text(MAKE)
    done = command("check", "sales", "--json")
    assert done.returncode == 0, done.stdout
    said = " ".join(each["detail"] for each in json.loads(done.stdout))
    assert "train.sample_weight counts in the fits, and not in the correction" in said
