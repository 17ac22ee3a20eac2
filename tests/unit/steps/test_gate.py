"""`gate`: who the challenger is, whom it must beat, and that nothing gets through by accident."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit, logit

from pipelines.data import labelled_rows
from pipelines.deployment import releases
from pipelines.errors import Corrupted, Unreachable
from pipelines.ledger import GateVerdict
from pipelines.refs import canonical
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import gate
from pipelines.training import estimators
from tests.unit.steps.candidates import MUTANTS, with_other_predictions
from tests.unit.steps.learning import DAYS, RUN, half_deployed, learning, rows, spec_text


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_first_model_that_learnt_is_promoted(tmp_path, task):
    world = learning(tmp_path, spec_text(task))
    trained = world.train_all()
    judged = gate.run(world.context, world.gate_request(trained))
    assert (judged.verdict, judged.reasons, judged.champion) == ("promote", [], None)
    assert judged.candidate == trained[1].candidate
    assert judged.metrics == trained[1].metrics
    assert any(c.name == "versus dummy" for c in judged.checks)
    assert len(canonical(judged)) < XCOM_LIMIT


def test_the_verdict_is_written_down_once_and_a_retry_finds_it(tmp_path):
    world = learning(tmp_path)
    request = world.gate_request(world.train_all())
    first, ledger, registry = (
        gate.run(world.context, request),
        world.context.ports.ledger,
        world.context.ports.registry,
    )
    assert gate.run(world.context, request) == first
    (entry,) = ledger.entries("visits", "verdict")
    assert entry.key == RUN
    assert entry.read(GateVerdict).features_revision == world.built.version.revision
    (version,) = registry.versions("visits")
    assert version.version == first.version
    assert version.tags["verdict"] == "promote"
    assert registry.runs[world.built.parent_run].tags["verdict"] == "promote"
    assert registry.runs[first.run_id].tags["challenger"] == "linear"


def test_a_retry_after_a_crash_between_registry_and_ledger_registers_once(tmp_path):
    world = learning(tmp_path)
    request = world.gate_request(world.train_all())

    class Away:
        def __getattr__(self, name):
            return getattr(world.context.ports.ledger, name)

        def append(self, *_, **__):
            raise Unreachable("the ledger is away")

    with pytest.raises(Unreachable):
        gate.run(world.with_ports(ledger=Away()).context, request)
    assert gate.run(world.context, request).version == "1"
    assert len(world.context.ports.registry.versions("visits")) == 1


def test_without_a_finite_candidate_nothing_is_registered(tmp_path):
    world = learning(tmp_path)
    trained = [t.model_copy(update={"cv_score": None}) for t in world.train_all()]
    judged = gate.run(world.context, world.gate_request(trained))
    assert (judged.verdict, judged.candidate, judged.version, judged.run_id) == (
        "refuse",
        "",
        "",
        "",
    )
    assert "no candidate has a finite" in judged.reasons[0]
    assert world.context.ports.registry.versions("visits") == []


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_model_known_to_be_bad_is_refused_whatever_it_claims(tmp_path, mutant):
    """The claimed metrics stay good: the gate measures for itself."""
    world = learning(tmp_path)
    trained = world.train("linear")
    judged = gate.run(
        world.context, world.gate_request([with_other_predictions(world, trained, MUTANTS[mutant])])
    )
    assert judged.verdict == "refuse"
    assert judged.reasons


def test_predictions_of_other_rows_stop_the_gate(tmp_path):
    world = learning(tmp_path)
    trained = world.train("linear")
    other = learning(
        tmp_path,
        tables=[rows(d, signal=0.5) for d in range(DAYS)],
        outside=world.context.ports,
        run="other",
    )
    with pytest.raises(Corrupted, match="not of this run's held-out rows"):
        gate.run(other.context, other.gate_request([trained]))


def test_a_model_trained_on_shuffled_labels_is_refused(tmp_path):
    rng = np.random.default_rng(8)
    tables = [rows(d) for d in range(DAYS)]
    tables[:-2] = [
        t.set_column(8, "y", pa.array(rng.permutation(t["y"].to_numpy(zero_copy_only=False))))
        for t in tables[:-2]
    ]
    world = learning(
        tmp_path,
        spec_text(candidates="  - {name: tree, estimator: sklearn.tree.DecisionTreeClassifier}"),
        tables=tables,
    )
    assert gate.run(world.context, world.gate_request(world.train_all())).verdict == "refuse"


def test_too_few_held_out_rows_refuse(tmp_path):
    world = learning(
        tmp_path, tables=[rows(d, count=150 if d < DAYS - 2 else 20) for d in range(DAYS)]
    )
    judged = gate.run(world.context, world.gate_request(world.train_all()))
    assert any("fewer than the 50" in reason for reason in judged.reasons)


def test_a_challenger_that_was_fitted_on_the_held_out_rows_is_refused(tmp_path):
    world = learning(tmp_path)
    trained = world.train("linear")
    held, _ = labelled_rows.holdout(world.context, world.built)
    assert not trained.fitted_on.overlaps(labelled_rows.span(held, world.context.spec))
    both = trained.fitted_on.model_copy(
        update={"end": labelled_rows.span(held, world.context.spec).end}
    )
    for fitted_on, words in (
        (both, "overlap what linear was fitted on"),
        (None, "not known on which rows linear was fitted"),
    ):
        changed = trained.model_copy(update={"fitted_on": fitted_on})
        judged = gate.run(world.context, world.gate_request([changed], f"run {fitted_on}"))
        assert judged.verdict == "refuse"
        assert words in judged.reasons[0]


GUARD = spec_text(
    gate=(
        "gate: {at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc, confidence: 0.9},"
        " guards: {log_loss: 0.05}, min_rows: 50}"
    )
)


@pytest.mark.parametrize("factor", [1, 10])
def test_an_over_confident_model_is_refused_by_the_guard_alone(tmp_path, factor):
    world = learning(tmp_path, GUARD)
    trained = with_other_predictions(
        world, world.train("linear"), lambda f, _: expit(factor * logit(f.score))
    )
    judged = gate.run(world.context, world.gate_request([trained]))
    assert [c.name for c in judged.checks if not c.passed] == (
        [] if factor == 1 else ["guard log_loss"]
    )


def test_constants_are_the_best_ones():
    y = np.array([0.0, 0.0, 9.0])
    assert estimators.constant(y, "regression", "mae", 2, None).tolist() == [0, 0]
    assert estimators.constant(y, "regression", "rmse", 2, None).tolist() == [3, 3]
    assert estimators.constant(
        np.array([0, 1, 1]), "multiclass", "log_loss", 1, ["a", "b"]
    ).tolist() == [[1 / 3, 2 / 3]]


def test_what_an_earlier_run_left_half_deployed_is_taken_back_even_when_this_run_is_refused(
    tmp_path,
):
    world = learning(tmp_path)
    half_deployed(world.context)
    refused = [with_other_predictions(world, t, MUTANTS["inverted"]) for t in world.train_all()]
    judged = gate.run(world.context, world.gate_request(refused))
    assert judged.verdict == "refuse"
    assert releases.newest(world.context.ports.store, world.context.spec.name).version == "1"
    assert world.context.ports.registry.alias(world.context.spec.name) == "1"
