"""`gate` with the further checks that a spec may ask for, on a small world."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.messages import VerdictFindings
from pipelines.ops.prune.needed import reachable_objects
from pipelines.refs import canonical
from pipelines.spec.gate_checks import Robustness
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import gate
from pipelines.store.pages import find_page
from pipelines.verdicts import words
from tests.unit.steps.candidates import with_other_predictions
from tests.unit.steps.learning import DAYS, RUN, learning, rows, spec_text
from tests.unit.steps.test_gate_champion import crown

GATE = (
    "gate: {at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc, confidence: 0.9},"
    " min_rows: 50, %s}"
)
SLICES = (
    'slices: {by: [{column: channel}, {where: "a > 0"}, {found: true}], metric: log_loss,'
    " min_rows: 40}"
)


def judged(world, trained):
    return gate.run(world.context, world.gate_request([trained]))


def named(result, name):
    (check,) = [c for c in result.checks if c.name == name]
    return check


def test_slices_are_judged_and_shown(tmp_path):
    world = learning(tmp_path, spec_text(gate=GATE % SLICES))
    result = judged(world, world.train("linear"))
    check = named(result, "slices")
    assert check.passed, check.detail
    assert result.verdict == "promote"
    assert len(canonical(result)) < XCOM_LIMIT
    store = world.context.ports.store
    (found,) = VerdictFindings.model_validate_json(store.get(result.findings)).checks
    names = [part.name for part in found.findings]
    assert {"channel = mail", "channel is missing", "a > 0"} <= set(names)
    page = find_page(store, model="visits", kind="verdict", run=RUN).decode()
    assert "<svg" in page
    assert "channel = mail" in page
    assert judged(world, world.train("linear")) == result
    assert result.findings.uri in reachable_objects(store, [result.findings])
    store.remove("objects", result.findings.uri)  # as an erasure does
    assert judged(world, world.train("linear")) == result


def test_a_model_that_fails_on_one_channel_is_refused_for_it(tmp_path):
    world = learning(tmp_path, spec_text(gate=GATE % SLICES))

    def fail_on_mail(found, held):
        mail = np.asarray(held["channel"].to_pylist(), dtype=object) == "mail"
        return np.where(mail, 1 - found.score, found.score)

    trained = with_other_predictions(world, world.train("linear"), fail_on_mail)
    result = judged(world, trained)
    check = named(result, "slices")
    assert not check.passed
    assert "channel = mail" in check.detail
    assert check.detail in result.reasons
    assert check.would_pass.startswith("log_loss in `")


def test_a_condition_that_cannot_be_computed_refuses_with_its_reason(tmp_path):
    asked = 'slices: {by: [{where: "channel > 3"}]}'
    world = learning(tmp_path, spec_text(gate=GATE % asked))
    check = named(judged(world, world.train("linear")), "slices")
    assert not check.passed
    assert "cannot be computed" in check.detail


def with_leak(task):
    """The days' rows, of which `b` gives the target away."""
    days = []
    for day in range(DAYS):
        table = rows(day, task)
        noise = np.random.default_rng(day).normal(0, 0.1, table.num_rows)
        y = np.unique(np.asarray(table["y"].to_pylist()), return_inverse=True)[1]
        target = table["y"].to_numpy() if task == "regression" else y
        days.append(table.set_column(table.column_names.index("b"), "b", pa.array(target + noise)))
    return days


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_leak_is_refused_until_it_is_expected(tmp_path, task):
    bounds = "at_least: {r2: 0.1}" if task == "regression" else "at_most: {log_loss: 2}"
    metric = "rmse" if task == "regression" else "log_loss"
    asked = f"gate: {{{bounds}, versus_champion: {{metric: {metric}, confidence: 0.9}}, %s}}"
    for leak, passes in (("leak: {}", False), ("leak: {expected: [b]}", True)):
        text = spec_text(task, gate=asked % leak)
        world = learning(tmp_path, text, tables=with_leak(task))
        check = named(judged(world, world.train("ridge" if "rmse" in text else "linear")), "leak")
        assert check.passed is passes, check.detail
        assert "b: its values alone say" in check.detail or passes


def test_honest_inputs_are_no_leak(tmp_path):
    world = learning(tmp_path, spec_text(gate=GATE % "leak: {}"))
    check = named(judged(world, world.train("linear")), "leak")
    assert check.passed, check.detail
    assert check.value < 0.8


def test_the_size_is_that_of_the_served_model(tmp_path):
    forest = (
        "  - {name: huge, estimator: sklearn.ensemble.RandomForestClassifier,"
        " params: {n_estimators: 20}}"
    )
    small = learning(tmp_path, spec_text(gate=GATE % "size: {bundle: 5m}"))
    size = named(judged(small, small.train("linear")), "size")
    assert size.passed, size.detail
    assert 500 < size.value < 5 * 2**20
    assert "compiled and stored" in size.detail
    world = learning(tmp_path, spec_text(gate=GATE % "size: {bundle: 50k}", candidates=forest))
    result = judged(world, world.train("huge"))
    size = named(result, "size")
    assert not size.passed
    assert size.detail in result.reasons
    assert size.would_pass


def test_a_model_that_cannot_be_opened_refuses_what_asks_for_it(tmp_path):
    world = learning(tmp_path, spec_text(gate=GATE % "size: {bundle: 5m}"))
    trained = world.train("linear")
    broken = world.context.ports.store.put(b"no model", ".skops")
    check = named(judged(world, trained.model_copy(update={"model": broken})), "size")
    assert not check.passed
    assert "cannot be loaded" in check.detail


def test_decisions_are_compared_between_groups(tmp_path):
    asked = "fairness: {by: channel, selection_rate: %s, min_rows: 40}"
    for limit, passes in (("0.05", False), ("0.9", True)):
        world = learning(tmp_path, spec_text(gate=GATE % (asked % limit)))
        result = judged(world, world.train("linear"))
        check = named(result, "fairness selection_rate")
        assert check.passed is passes, check.detail
        assert "channel = mail" in check.detail


def test_a_refusal_says_in_registry_log_and_page_what_would_pass(tmp_path):
    asked = "gate: {at_least: {roc_auc: 0.999}, versus_champion: {metric: roc_auc}, min_rows: 50}"
    world = learning(tmp_path, spec_text(gate=asked))
    result = judged(world, world.train("linear"))
    (way,) = [c.would_pass for c in result.checks if c.would_pass]
    assert way.startswith("roc_auc higher by 0.")
    assert f"it would pass with: {way}" in "".join(line.text for line in words.gate(result))
    assert way in world.context.ports.registry.runs[result.run_id].tags["would_pass"]
    page = find_page(world.context.ports.store, model="visits", kind="verdict", run=RUN).decode()
    assert f"It would pass with: {way}" in page


def test_the_decisions_that_would_change_are_counted_against_the_champion(tmp_path):
    world = learning(tmp_path)
    crown(world)
    asked = "flips: {most: 0.1, by: [{column: channel}], examples: 2}"
    tables = [rows(d, signal=-1.0) for d in range(DAYS, 2 * DAYS)]
    later = learning(
        tmp_path,
        spec_text(gate=GATE % asked),
        tables=tables,
        outside=world.context.ports,
        run="later",
        first=DAYS,
    )
    trained = later.train("linear")
    result = gate.run(later.context, later.gate_request([trained], "later"))
    check = named(result, "flips")
    assert not check.passed
    assert check.value > 0.5
    store = later.context.ports.store
    shares, examples = VerdictFindings.model_validate_json(store.get(result.findings)).checks
    assert "channel = mail" in [part.name for part in shares.findings]
    assert len(examples.findings) == 2
    assert "would become" in examples.findings[0].detail


def test_a_first_challenger_changes_no_decision(tmp_path):
    world = learning(tmp_path, spec_text(gate=GATE % "flips: {most: 0}"))
    assert named(judged(world, world.train("linear")), "flips").passed


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_model_must_be_better_than_its_baselines_by_the_margin(tmp_path, task):
    metric = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[task]
    bound = "at_least: {roc_auc: 0.6}" if task == "binary" else f"at_most: {{{metric}: 9}}"
    asked = (
        f"gate: {{{bound}, versus_champion: {{metric: {metric}, confidence: 0.9}}, min_rows: 50,"
        " baselines: {dummy: 0.05, linear: 0.3}}"
    )
    world = learning(tmp_path, spec_text(task, gate=asked))
    result = judged(world, world.train("ridge" if task == "regression" else "linear"))
    dummy, linear = (named(result, f"baseline {name}") for name in ("dummy", "linear"))
    assert dummy.passed, dummy.detail
    assert not linear.passed
    assert abs(linear.value) < 0.02, linear.detail


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_served_model_is_asked_with_disturbed_inputs(tmp_path, task):
    metric = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[task]
    bound = "at_least: {roc_auc: 0.6}" if task == "binary" else f"at_most: {{{metric}: 9}}"
    asked = (
        f"gate: {{{bound}, versus_champion: {{metric: {metric}, confidence: 0.9}}, min_rows: 50,"
        " robustness: {noise: 0.2, missing: 0.5, unseen: 0.5, scaled: 0.0001, swapped: 2}}"
    )
    world = learning(tmp_path, spec_text(task, gate=asked))
    result = judged(world, world.train("ridge" if task == "regression" else "linear"))
    checks = {k: named(result, f"robustness {k}") for k in Robustness.model_fields if k != "metric"}
    assert not checks.pop("scaled").passed
    for check in checks.values():
        assert check.passed, check.detail
    assert "channel" in checks["unseen"].detail or "place" in checks["unseen"].detail
