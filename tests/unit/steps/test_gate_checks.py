"""`gate` with the further checks that a spec may ask for, on a small world."""

from __future__ import annotations

import numpy as np

from pipelines.messages import VerdictFindings
from pipelines.ops.prune.needed import reachable_objects
from pipelines.refs import canonical
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import gate
from pipelines.store.pages import find_page
from tests.unit.steps.candidates import with_other_predictions
from tests.unit.steps.learning import RUN, learning, spec_text

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
