"""The page of a retraining's candidates, made by `gate`."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.comparison.fitted_models import read_model
from pipelines.comparison.judged import judged_rows
from pipelines.comparison.learning import learning_curve
from pipelines.comparison.page import render
from pipelines.comparison.retraining import compare_candidates
from pipelines.steps import gate
from pipelines.store.pages import find_page
from tests.unit.steps.learning import DAYS, RUN, learning, rows, spec_text

LINEAR = (
    "  - {name: linear, estimator: sklearn.linear_model.LogisticRegression,"
    " search: {C: [0.1, 1.0, 10.0]}}"
)
HOSTILE = "<script>alert(1)</script>"


def with_seconds(world, seconds):
    settings = world.context.settings.model_copy(update={"comparison_seconds": seconds})
    return replace(world, context=replace(world.context, settings=settings))


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).split())


def odd_rows(day):
    """Rows with a hostile text, and one input that is personal by its values."""
    table = rows(day)
    places = [HOSTILE if i % 3 else "p" for i in range(table.num_rows)]
    mails = [f"{i}@example.org" for i in range(table.num_rows)]
    table = table.set_column(table.column_names.index("place"), "place", pa.array(places))
    return table.set_column(table.column_names.index("channel"), "channel", pa.array(mails))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A world after `gate`, with what it was given."""
    folder = tmp_path_factory.mktemp("comparison")
    text = spec_text(candidates=LINEAR)
    world = with_seconds(learning(folder, text, tables=[odd_rows(d) for d in range(DAYS)]), 60)
    trained = world.train_all()
    return world, trained, gate.run(world.context, world.gate_request(trained))


@pytest.fixture(scope="module")
def page(judged):
    store = judged[0].context.ports.store
    return find_page(store, model="visits", kind="comparison", run=RUN).decode()


@pytest.fixture(scope="module")
def found(judged):
    world, trained, verdict = judged
    return compare_candidates(world.context, world.built, trained, verdict, RUN)


def test_gate_leaves_the_page_and_attaches_it_to_the_run_in_mlflow(judged, page):
    registry = judged[0].context.ports.registry
    files = registry.runs[judged[0].built.parent_run].artifacts
    assert {"comparison/comparison.html", "comparison/candidates.png"} <= set(files)
    assert "<script" not in page
    assert "http" not in page


def test_the_page_shows_every_candidate_trial_and_part(page):
    said = text_of(page)
    for words in (
        "linear sklearn.linear_model.LogisticRegression",
        "chosen by the folds",
        "constant",
        "3 settings",
        "learning curve of the chosen setting",
        "calibration, in tenths",
        "truth down, prediction across",
        "precision recall F1 accuracy",
        "lost where one input is shuffled",
        "what each input adds to the answer",
        "Errors by slice",
        "The worst rows",
    ):
        assert words in said, words
    assert page.count('class="trial') == 3


def test_hostile_texts_are_escaped_and_personal_columns_not_shown(page):
    assert "alert(1)" in page
    assert HOSTILE not in page
    assert "@example.org" not in page
    assert "channel (looks personal: it holds addresses of e-mail)" in text_of(page)


def test_trials_are_those_that_train_has_kept(found):
    linear = found.candidates[0]
    assert [t.params["C"] for t in linear.trials] == [0.1, 1.0, 10.0]
    [chosen] = [t for t in linear.trials if t.chosen]
    assert chosen.score == pytest.approx(linear.result.cv_score)
    assert chosen.params["C"] == linear.result.params["C"]


def test_every_metric_lies_within_its_interval(found):
    for spread in found.candidates[0].intervals.values():
        low, high = sorted((spread.bad_end, spread.good_end))
        assert low < spread.value < high


def test_the_curve_ends_with_the_candidate_itself(found):
    linear = found.candidates[0]
    points = linear.learning.points
    assert [p.rows for p in points] == sorted(p.rows for p in points)
    assert points[-1].rows == linear.result.rows_train
    assert points[-1].held == pytest.approx(linear.metrics["roc_auc"])
    assert points[0].held != points[-1].held


def test_without_time_for_refits_the_curve_says_so(judged):
    world, trained, _ = judged
    context, [_, linear] = world.context, trained
    rows_of_run = judged_rows(context, world.built)
    model = read_model(context, rows_of_run, linear)
    curve = learning_curve(
        rows_of_run, linear, model, np.full(len(rows_of_run.truth), 0.5),
        fit_seconds=100.0, seconds=1.0, log=context.log,
    )  # fmt: skip
    assert len(curve.points) == 1
    assert "would take longer than 1 s" in curve.note


def test_shuffling_finds_what_the_model_looks_at(found):
    importance = found.candidates[0].importance
    losses = importance.losses
    assert next(iter(losses)) == "a"
    assert losses["a"][0] > 3 * losses["a"][1]
    low, high = importance.ends["a"]
    assert 0 < low < losses["a"][0] < high
    assert importance.evidence == "30 groups of hours"


def test_results_of_earlier_versions_without_trials_still_make_a_page(judged):
    world, trained, verdict = judged
    older = [t.model_copy(update={"trials": None}) for t in trained]
    earlier = compare_candidates(world.context, world.built, older, verdict, RUN)
    assert "Errors by slice" in render(earlier)
    assert "Trials" not in render(earlier)


def test_a_model_that_cannot_be_read_is_said_and_the_others_are_shown(judged):
    world, trained, verdict = judged
    broken = trained[1].model_copy(update={"model": world.context.ports.store.put(b"x", ".skops")})
    made = compare_candidates(world.context, world.built, [trained[0], broken], verdict, RUN)
    said = text_of(render(made))
    assert "Could not be made: the fitted model" in said
    assert "Errors by slice" in said
    assert "calibration, in tenths" in said


def test_no_seconds_no_page_and_a_fault_ends_no_run(tmp_path, caplog):
    world = learning(tmp_path)
    trained = world.train_all()
    gate.run(world.context, world.gate_request(trained))
    store = world.context.ports.store
    assert find_page(store, model="visits", kind="comparison", run=RUN) is None
    gone = trained[1].predictions
    bad = [t.model_copy(update={"predictions": trained[1].model}) for t in trained]
    assert gone != bad[1].predictions
    verdict = gate.run(with_seconds(world, 1).context, world.gate_request(bad))
    assert verdict.verdict == "promote"
    assert "the comparison of this run could not be made" in caplog.text


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_have_their_own_drawings(tmp_path, task):
    world = learning(tmp_path, spec_text(task))
    trained = world.train_all()
    verdict = gate.run(world.context, world.gate_request(trained))
    world = with_seconds(world, 0.5)
    said = text_of(render(compare_candidates(world.context, world.built, trained, verdict, RUN)))
    words = {"multiclass": "the most probable class", "regression": "residuals over time"}
    assert words[task] in said
    assert "Could not be made" not in said
