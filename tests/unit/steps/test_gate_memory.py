"""How much memory a server takes for a challenger: measured in a real server, or refused."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest

from pipelines.spec.gate_served import Memory
from pipelines.steps import gate
from tests.own_models import MODEL
from tests.unit.steps.learning import RUN, learning, spec_text

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

MEBIBYTE = 2**20
GATE = (
    "gate: {at_least: {roc_auc: 0.5}, versus_champion: {metric: roc_auc, confidence: 0.6},"
    " min_rows: 50, memory: {at_most: %s},"
    " golden: [{row: {a: 0.5, b: 1, count: 3, flag: true, channel: 7, place: p1}, answer: 1}]}"
)
LINEAR = "  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}"
LARGE = (
    "  - {name: large, estimator: sklearn.ensemble.RandomForestClassifier,"
    " params: {n_estimators: 120}}"
)


def memory_of(world, trained, *, seconds=60.0, run=RUN):
    """Return what the gate says of a candidate's memory; its golden request cannot be answered."""
    settings = world.context.settings.replace(deploy_timeout_seconds=seconds)
    context = replace(world.context, settings=settings)
    before = set(psutil.Process().children(recursive=True))
    result = gate.run(context, world.gate_request([trained], run))
    (check,) = [c for c in result.checks if c.name == "memory"]
    assert (check.detail in result.reasons) is not check.passed
    assert set(psutil.Process().children(recursive=True)) <= before, "no server is left"
    return check


def test_a_model_passes_within_its_limit_and_is_refused_where_nothing_can_be_measured(tmp_path):
    world = learning(tmp_path, spec_text(candidates=LINEAR, gate=GATE % "500m"))
    trained = world.train("linear")
    check = memory_of(world, trained)
    assert check.passed, check.detail
    assert check.limit == 500 * MEBIBYTE
    assert 0 < check.value < 100 * MEBIBYTE
    check = memory_of(world, trained, seconds=0.000001, run="later")
    assert (check.passed, check.value) == (False, None)
    assert "could not be measured: The server did not serve the model within" in check.detail
    assert check.would_pass == "mend that, or take gate.memory out"


def test_a_large_model_is_refused_and_what_it_says_would_pass(tmp_path):
    world = learning(tmp_path, spec_text(candidates=LARGE, gate=GATE % "1m"))
    check = memory_of(world, world.train("large"))
    assert not check.passed
    assert check.value > 35 * MEBIBYTE, "a linear one takes 30"
    assert "beyond the 1 MiB" in check.detail
    less = float(check.would_pass.split(" MiB less")[0])
    assert less == pytest.approx(check.value / MEBIBYTE - 1, rel=0.01)
    enough = f"{int(check.value / MEBIBYTE) + 1}m"
    assert Memory(at_most=enough).limit >= check.value


@pytest.mark.long
def test_the_process_of_own_code_counts_too(tmp_path):
    folder = tmp_path / "models" / "visits"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(MODEL)
    world = learning(
        tmp_path, spec_text(candidates="  - {name: own, pipeline: make}", gate=GATE % "1g")
    )
    check = memory_of(world, world.train("own"))
    assert check.passed, check.detail
    assert check.value > 150 * MEBIBYTE, "scikit-learn is loaded in a process of its own"
