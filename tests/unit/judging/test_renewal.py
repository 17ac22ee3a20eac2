"""The recipe of a run that schedule or drift started: fitted again on what is known from day to
day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.data import labelled_rows
from pipelines.judging.held_out import read_answers
from pipelines.judging.renewal import renew
from pipelines.ledger import GateVerdict
from pipelines.science.gate.facts import Judging
from pipelines.spec.rule_problems import why_no_renewal
from pipelines.steps import gate
from pipelines.store.pages import find_page
from tests.own_models import MODEL
from tests.unit.steps.learning import DAYS, ROWS, learning, rows, spec_text
from tests.unit.steps.test_gate_champion import crown

RUN = "scheduled__2024-01-13T00:00:00+00:00"
NEAREST = (
    "  - {name: linear, estimator: sklearn.neighbors.KNeighborsClassifier,"
    " params: {n_neighbors: 1}}"
)


def later(home, world, tables, text=None):
    return learning(
        home,
        text or spec_text(world.context.spec.task),
        tables=tables,
        outside=world.context.ports,
        run=RUN,
        first=DAYS,
    )


def judge(world, run=RUN):
    return gate.run(world.context, world.gate_request(world.train_all(), run))


def days(task="binary", **signals):
    """The days of the later world, of which the held-out ones may have another signal."""
    held = signals.get("held", 1.0)
    return [rows(d, task, signal=held if d >= 2 * DAYS - 2 else 1.0) for d in range(DAYS, 2 * DAYS)]


@pytest.fixture
def champion(tmp_path):
    world = learning(tmp_path)
    crown(world)
    return world


def test_an_equal_recipe_takes_over_where_the_schedule_asks_and_not_where_a_person_does(
    tmp_path, champion
):
    world = later(tmp_path, champion, days())
    by_hand = judge(world, "later")
    assert (by_hand.verdict, by_hand.judged_by.rule, by_hand.judged_by.parts) == (
        "refuse",
        "better",
        0,
    )
    judged = judge(world)
    assert judged.verdict == "promote", judged.reasons
    assert (judged.judged_by.rule, judged.judged_by.cause) == ("not_worse", "schedule")
    assert judged.judged_by.parts == 8
    assert judged.judged_by.finding in {"tie", "not worse", "better", "small gain"}
    entry = world.context.ports.ledger.find("visits", "verdict", RUN)
    assert entry.read(GateVerdict).judged_by == judged.judged_by
    page = find_page(world.context.ports.store, model="visits", kind="verdict", run=RUN).decode()
    assert f"What was found: <b>{judged.judged_by.finding}</b>" in page
    assert "The recipe was judged: fitted again before each of 8 parts" in page


def test_after_a_change_the_recipe_is_better_where_the_model_cannot_be(tmp_path, champion):
    """The challenger knows the old days alone; its recipe learns the new ones as they come."""
    text = spec_text(candidates=NEAREST).replace("roc_auc: 0.6", "roc_auc: 0.4")
    world = later(tmp_path, champion, days(held=-1.0), text)
    trained = world.train_all()
    judged = gate.run(world.context, world.gate_request(trained, RUN))
    assert judged.metrics["roc_auc"] > trained[1].metrics["roc_auc"] + 0.05
    assert judged.judged_by.finding == "better"
    assert judged.judged_by.margin == 0


def test_a_recipe_that_is_worse_by_more_than_the_margin_is_refused(tmp_path, champion):
    judged = judge(later(tmp_path, champion, days(), spec_text(candidates=NEAREST)))
    assert (judged.verdict, judged.judged_by.finding) == ("refuse", "worse")


def test_no_fit_sees_what_it_is_asked_for(tmp_path, champion):
    """One neighbour knows each row that it was fitted on: of outcomes by chance it must know
    none."""
    rng = np.random.default_rng(4)
    tables = [t.set_column(8, "y", pa.array(rng.random(t.num_rows) < 0.5)) for t in days()]
    judged = judge(later(tmp_path, champion, tables, spec_text(candidates=NEAREST)))
    assert judged.judged_by.parts == 8
    assert 0.4 < judged.metrics["roc_auc"] < 0.6


def renewed(world):
    """What the recipe answers to the held-out rows, and their times."""
    best = world.train("linear")
    holdout, _ = labelled_rows.holdout(world.context, world.built)
    answers, judging = renew(
        world.context,
        world.gate_request([best], RUN),
        best,
        read_answers(world.context, best, holdout),
        holdout,
        Judging("not_worse", asks_renewal=True),
    )
    assert judging.parts == 8
    return answers.own, labelled_rows.times(holdout, world.context.spec)


def test_no_fit_sees_a_label_before_it_is_known(tmp_path, champion):
    """Outcomes wait for 12 hours, so that those of a day change no answer of its first 12;
    and do change later ones."""
    text = spec_text(candidates=NEAREST, known_after="12h")
    told, times = renewed(later(tmp_path / "a", champion, days(), text))
    other, _ = renewed(later(tmp_path / "b", champion, days(held=-1.0), text))
    first = times < times.min() + np.timedelta64(12, "h")
    assert (told[first] == other[first]).all()
    assert (told[~first] != other[~first]).any()


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_each_task_renews(tmp_path, task):
    world = learning(tmp_path, spec_text(task))
    crown(world)
    judged = judge(later(tmp_path, world, days(task)))
    assert judged.judged_by.parts == 8
    assert judged.verdict == "promote", judged.reasons


def test_what_is_held_out_for_a_day_alone_makes_no_parts_and_falls_back_to_better(
    tmp_path, champion
):
    text = spec_text().replace("alike: {span: hour}\n", "")
    tables = days()
    tables[-1] = tables[-1].slice(0, 0)
    judged = judge(later(tmp_path, champion, tables, text))
    rule, fit = judged.judged_by.because
    assert rule.startswith("The rule is `better`, because the schedule started the run, but the")
    assert "are of one day" in fit
    assert judged.judged_by.finding == "too few rows to tell"


QUANTILES = """
task: quantiles
quantiles: {levels: [0.1, 0.5, 0.9]}
"""


def test_quantiles_renew(tmp_path):
    gates = (
        "gate: {at_most: {pinball: 2}, versus_champion: {metric: pinball, confidence: 0.9},"
        " min_rows: 50}"
    )
    lines = (
        "  - {name: linear, estimator: sklearn.linear_model.QuantileRegressor, params: {alpha: 0}}"
    )
    text = (
        spec_text("regression", candidates=lines, gate=gates)
        .replace("task: regression\n", QUANTILES.lstrip())
        .replace("metric: rmse", "metric: pinball")
    )
    world = learning(tmp_path, text, tables=[rows(d, "regression") for d in range(DAYS)])
    crown(world)
    judged = judge(later(tmp_path, world, days("regression"), text))
    assert judged.judged_by.parts == 8
    assert judged.verdict == "promote", judged.reasons


@pytest.mark.heavy
def test_an_own_pipeline_renews_behind_its_fence(tmp_path):
    folder = tmp_path / "models" / "visits"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(MODEL)
    text = spec_text(candidates="  - {name: own, pipeline: make}")
    world = learning(tmp_path, text)
    crown(world)
    judged = judge(later(tmp_path, world, days(), text))
    assert judged.judged_by.parts == 8
    assert judged.metrics["roc_auc"] > 0.8


@pytest.mark.heavy
def test_own_code_that_dies_of_more_rows_falls_back_to_better(tmp_path):
    folder = tmp_path / "models" / "visits"
    folder.mkdir(parents=True)
    dies = f"        if len(x) > {4 * ROWS}:\n            os._exit(3)\n"
    fit = "    def fit(self, x, y=None):\n"
    (folder / "model.py").write_text(MODEL)
    text = spec_text(candidates="  - {name: own, pipeline: make}")
    world = learning(tmp_path, text)
    crown(world)
    (folder / "model.py").write_text(MODEL.replace(fit, fit + dies, 1))
    judged = judge(later(tmp_path, world, days(), text))
    assert (judged.judged_by.rule, judged.judged_by.parts) == ("better", 0)
    assert "could not be fitted again" in judged.judged_by.because[1]


@pytest.mark.parametrize("asked", [True, False])
def test_what_has_no_parts_must_be_better_whether_its_recipe_is_asked_for_or_not(champion, asked):
    spec = champion.context.spec.model_copy(update={"task": "anomaly"})
    best = champion.train("linear")
    request = champion.gate_request([best], RUN)
    judging = Judging("not_worse", "schedule", is_named=False, asks_renewal=asked)
    context = replace(champion.context, spec=spec)
    _, found = renew(context, request, best, None, None, judging)
    assert found.rule == "better"
    assert "one fit" in found.why_not


@pytest.mark.parametrize("asked", [True, False])
def test_a_finished_model_must_be_better_as_it_is_never_fitted_again(champion, asked):
    best = champion.train("linear")
    finished = champion.context.spec.candidate("linear").model_copy(update={"onnx": "net.onnx"})
    spec = champion.context.spec.model_copy(update={"candidates": [finished]})
    judging = Judging("not_worse", "schedule", is_named=False, asks_renewal=asked)
    context = replace(champion.context, spec=spec)
    _, found = renew(context, champion.gate_request([best], RUN), best, None, None, judging)
    assert found.rule == "better"
    assert "never fitted again" in found.why_not


@pytest.mark.parametrize(
    ("task", "metric", "snapshot", "why"),
    [
        ("binary", "roc_auc", True, "no time"),
        ("cluster", "silhouette", False, "a clustering follows"),
        ("anomaly", "flag_rate", False, "an anomaly model belongs to one fit"),
        ("forecast", "mae", False, ""),
        ("quantiles", "pinball", False, ""),
    ],
)
def test_which_recipes_can_be_fitted_again_from_part_to_part(task, metric, snapshot, why):
    said = why_no_renewal(metric, task, is_snapshot=snapshot)
    assert why in said
    assert bool(said) == bool(why)
