"""`gate`: who the challenger is, whom it must beat, and that nothing gets through by accident."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit, logit

from pipelines.bundle.manifest import BundleManifest
from pipelines.data import labelled_rows
from pipelines.deployment import releases
from pipelines.deployment.process_target import ProcessTarget
from pipelines.deployment.serving_client import Serves
from pipelines.errors import Corrupted, RequestError, Unreachable
from pipelines.ledger import GateVerdict
from pipelines.messages import DeployRequest, PackageRequest
from pipelines.refs import canonical
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import deploy, gate, package
from pipelines.store.pages import find_page
from pipelines.training import estimators, predictions
from pipelines.verdicts import page as verdict_page
from tests.unit.steps.learning import DAYS, RUN, half_deployed, learning, rows, spec_text

TWO = """
  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}
  - {name: bayes, estimator: sklearn.naive_bayes.GaussianNB}
"""


class Agrees:
    """A server that serves whatever is the newest release."""

    def __init__(self, world):
        self._world = world

    def serves(self, model):
        from pipelines.deployment.releases import newest

        top = newest(self._world.context.ports.store, model)
        return Serves(release=top.number, version=top.version) if top else Serves()


def crown(world, run=RUN):
    """Take a world from `train` to a champion."""
    trained = world.train_all()
    judged = gate.run(world.context, world.gate_request(trained, run))
    packaged = package.run(
        world.context, PackageRequest(run=run, features=world.built, train=trained, gate=judged)
    )
    deploy.run(
        world.context,
        DeployRequest(run=run, gate=judged, package=packaged),
        ProcessTarget(Agrees(world)),
    )
    return judged, packaged


def _swapped(world, trained, score, **changes):
    """The trained candidate with other predictions in the store."""
    held, _ = labelled_rows.holdout(world.context, world.built)
    found = predictions.read(
        world.context.ports.store, world.context.spec, trained.predictions, held
    )
    store, spec = world.context.ports.store, world.context.spec
    ref = predictions.write(
        store, spec, held, score=score(found, held), dummy=found.dummy, classes=found.classes
    )
    return trained.model_copy(update={"predictions": ref, **changes})


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


def test_the_verdict_has_a_page(tmp_path):
    world = learning(tmp_path)
    request = world.gate_request(world.train_all())
    judged = gate.run(world.context, request)
    page = find_page(world.context.ports.store, model="visits", kind="verdict", run=RUN).decode()
    said = [
        "Promoted",
        "the challenger linear (version 1)",
        "the best constant",
        f"{judged.metrics['roc_auc']:.6g}",
        "because: a test",
    ]
    assert [
        words for words in [*said, *(check.name for check in judged.checks)] if words not in page
    ] == []
    assert "<script" not in page
    gate.run(world.context, request)
    assert len(world.context.ports.store.keys(f"pages/visits/verdict/{RUN}")) == 1


def test_page_log_and_tags_show_both_scores_of_each_candidate_and_which_one_chose(tmp_path, caplog):
    """Held-out scores alone would make the chosen candidate look like the worse one."""
    world = learning(tmp_path, spec_text(candidates=TWO))
    dummy, linear, bayes = world.train_all()
    linear = linear.model_copy(update={"cv_score": 0.8123})
    held_out = {**bayes.metrics, "roc_auc": 0.9987}
    bayes = bayes.model_copy(update={"cv_score": 0.7456, "metrics": held_out})
    with caplog.at_level("INFO"):
        judged = gate.run(world.context, world.gate_request([dummy, linear, bayes]))
    page = find_page(world.context.ports.store, model="visits", kind="verdict", run=RUN).decode()
    row = {t: page[page.index(f"<td>{t}</td>") :].split("</tr>")[0] for t in ("linear", "bayes")}
    assert judged.candidate == "linear"
    assert "0.8123" in row["linear"]
    assert f"{linear.metrics['roc_auc']:.6g}" in row["linear"]
    assert "chosen by cross-validation" in row["linear"]
    assert "0.7456" in row["bayes"]
    assert "0.9987" in row["bayes"]
    assert "chosen" not in row["bayes"]
    assert "bayes: 0.7456 in cross-validation, 0.9987 held out\n" in f"{caplog.text}\n"
    assert f"{linear.metrics['roc_auc']:.4f} held out  <- chosen" in caplog.text
    assert world.context.ports.registry.runs[judged.run_id].tags["chosen_by"] == "cv_roc_auc"


def test_the_page_of_a_refusal_gives_the_reasons_and_escapes_them(tmp_path):
    gates = "gate: {at_least: {roc_auc: 0.999}, versus_champion: {metric: roc_auc}, min_rows: 50}"
    world = learning(tmp_path, spec_text(gate=gates))
    judged = gate.run(world.context, world.gate_request(world.train_all()))
    page = find_page(world.context.ports.store, model="visits", kind="verdict", run=RUN).decode()
    assert "Refused" in page
    assert "Nothing serves." in page
    hostile = judged.model_copy(
        update={
            "reasons": ["<script>alert(1)</script>"],
            "champion": "<b>7",
            "metrics": {"roc_auc": None},
        }
    )
    shown = verdict_page.render(
        "visits",
        "<i>run",
        hostile,
        [],
        metric="roc_auc",
        as_of=world.built.as_of,
        because="<u>because",
    )
    assert not [word for word in ("<script>", "<b>7", "<i>run", "<u>because") if word in shown]
    assert "&lt;script&gt;alert(1)" in shown
    assert "not finite" in shown
    assert "The champion serves on." in shown


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


def test_the_challenger_is_the_best_of_the_folds_not_of_the_holdout(tmp_path):
    world = learning(tmp_path, spec_text(candidates=TWO))
    dummy, linear, bayes = world.train_all()
    better = bayes.model_copy(
        update={"cv_score": linear.cv_score + 0.1, "metrics": {"roc_auc": 0.0}}
    )
    assert gate.choose_challenger(world.context, [dummy, linear, better]).candidate == "bayes"
    tie = bayes.model_copy(update={"cv_score": linear.cv_score})
    assert gate.choose_challenger(world.context, [tie, linear]).candidate == "linear"
    lost = linear.model_copy(update={"cv_score": None})
    assert gate.choose_challenger(world.context, [lost, bayes]).candidate == "bayes"
    assert (
        gate.choose_challenger(world.context, [dummy.model_copy(update={"cv_score": 1.0}), lost])
        is None
    )
    with pytest.raises(RequestError, match="no candidate ghost"):
        gate.choose_challenger(world.context, [linear.model_copy(update={"candidate": "ghost"})])


def test_for_an_error_metric_the_smallest_is_best(tmp_path):
    world = learning(tmp_path, spec_text("regression"))
    (ridge,) = [t for t in world.train_all() if t.candidate == "ridge"]
    worse = ridge.model_copy(update={"cv_score": ridge.cv_score + 1, "run_id": "worse"})
    assert gate.choose_challenger(world.context, [worse, ridge]) == ridge


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


MUTANTS = {
    "inverted": lambda f, _: 1 - f.score,
    "constant": lambda f, _: np.full_like(f.score, 0.5),
    "the base rate": lambda f, _: f.dummy,
    "shuffled": lambda f, _: np.random.default_rng(0).permutation(f.score),
    "one NaN": lambda f, _: np.where(np.arange(len(f.score)) == 3, np.nan, f.score),
    "all NaN": lambda f, _: np.full_like(f.score, np.nan),
    "infinite": lambda f, _: np.full_like(f.score, np.inf),
    "out of range": lambda f, _: f.score * 3,
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_model_known_to_be_bad_is_refused_whatever_it_claims(tmp_path, mutant):
    """The claimed metrics stay good: the gate measures for itself."""
    world = learning(tmp_path)
    trained = world.train("linear")
    judged = gate.run(
        world.context, world.gate_request([_swapped(world, trained, MUTANTS[mutant])])
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


def _later(tmp_path, world, text=None, signal=1.0, first=DAYS):
    task = world.context.spec.task
    tables = [rows(d, task, signal=signal) for d in range(first, first + DAYS)]
    return learning(
        tmp_path,
        text or spec_text(task),
        tables=tables,
        outside=world.context.ports,
        run="later",
        first=first,
    )


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_an_equal_challenger_does_not_replace_the_champion_and_a_better_one_does(tmp_path, task):
    world = learning(tmp_path, spec_text(task))
    crown(world)
    same = _later(tmp_path, world)
    judged = gate.run(same.context, same.gate_request(same.train_all(), "later"))
    assert (judged.verdict, judged.champion) == ("refuse", "1")
    assert "is not proven better than the champion's" in judged.reasons[0]
    turned = _later(tmp_path, world, signal=-1.0, first=2 * DAYS)
    judged = gate.run(turned.context, turned.gate_request(turned.train_all(), "turned"))
    assert judged.verdict == "promote", judged.reasons
    assert judged.version == "3"


def test_held_out_rows_that_the_champion_was_fitted_on_refuse(tmp_path):
    world = learning(tmp_path)
    crown(world)
    judged = gate.run(world.context, world.gate_request(world.train_all(), "again"))
    assert any(
        "overlap what the champion was fitted on (2024-01-01T00 to 2024-01-07T00)" in reason
        for reason in judged.reasons
    )


BAYES = "  - {name: bayes, estimator: sklearn.naive_bayes.GaussianNB}"


def test_one_wrong_answer_of_the_champion_does_not_lock_every_successor_out(tmp_path):
    """So far from all that it has seen, both classes are impossible to naive Bayes.

    Its answer is NaN.
    """
    world = learning(tmp_path, spec_text(candidates=BAYES))
    crown(world)
    tables = [rows(d) for d in range(DAYS, 2 * DAYS)]
    far = tables[-1]["a"].to_numpy().copy()
    far[3] = 1e30
    tables[-1] = tables[-1].set_column(
        tables[-1].column_names.index("a"), "a", pa.array(far, from_pandas=True)
    )
    later = learning(tmp_path, tables=tables, outside=world.context.ports, run="later", first=DAYS)
    judged = gate.run(later.context, later.gate_request(later.train_all(), "later"))
    assert (judged.verdict, judged.champion) == ("promote", "1"), judged.reasons
    assert (
        "the champion, version 1, cannot answer (1 of its 294 answers are no numbers"
        in judged.incident
    )
    assert any(c.name == "versus dummy" and c.passed for c in judged.checks)
    assert later.context.ports.registry.runs[judged.run_id].tags["incident"] == judged.incident
    page = find_page(
        later.context.ports.store, model="visits", kind="verdict", run="later"
    ).decode()
    assert '<span class="bad">Incident</span>: the champion, version 1, cannot answer' in page
    assert "the best constant, because the champion, version 1, cannot answer" in page


def test_a_successor_of_a_champion_that_cannot_answer_must_still_have_learnt(tmp_path):
    world = learning(tmp_path)
    _, packaged = crown(world)
    store = world.context.ports.store
    manifest = BundleManifest.model_validate_json(store.get(packaged.bundle))
    store.objects[manifest.onnx.uri] = b"changed"
    later = _later(tmp_path, world, signal=-1.0)
    trained = later.train_all()
    judged = gate.run(later.context, later.gate_request(trained, "later"))
    assert judged.verdict == "promote"
    assert "the champion, version 1, cannot answer (Corrupted" in judged.incident
    useless = [_swapped(later, t, MUTANTS["shuffled"]) for t in trained]
    assert gate.run(later.context, later.gate_request(useless, "useless")).verdict == "refuse"


def test_a_champion_whose_input_is_gone_is_an_incident_too(tmp_path):
    world = learning(tmp_path)
    crown(world)
    text = spec_text().replace("inputs: [a, b, count", "inputs: [b, count")
    later = _later(tmp_path, world, text, signal=-1.0)
    judged = gate.run(later.context, later.gate_request(later.train_all(), "later"))
    assert "no column a" in judged.incident


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
    trained = _swapped(world, world.train("linear"), lambda f, _: expit(factor * logit(f.score)))
    judged = gate.run(world.context, world.gate_request([trained]))
    assert [c.name for c in judged.checks if not c.passed] == (
        [] if factor == 1 else ["guard log_loss"]
    )


def test_a_store_that_is_away_is_an_error_not_a_verdict(tmp_path):
    world = learning(tmp_path)
    crown(world)
    later = _later(tmp_path, world)
    trained = later.train_all()

    class Away:
        def __getattr__(self, name):
            return getattr(world.context.ports.store, name)

        def get(self, ref):
            if ref == world.context.ports.ledger.champion("visits").bundle:
                raise Unreachable("the store is away")
            return world.context.ports.store.get(ref)

    with pytest.raises(Unreachable):
        gate.run(later.with_ports(store=Away()).context, later.gate_request(trained, "later"))
    assert world.context.ports.ledger.find("visits", "verdict", "later") is None


def test_a_class_that_came_later_is_compared_fairly(tmp_path):
    world = learning(tmp_path, spec_text("multiclass"))
    crown(world)
    tables = []
    for d in range(DAYS, 2 * DAYS):
        table = rows(d, "multiclass", signal=-1.0)
        labels = ["new" if v == "low" else v for v in table["y"].to_pylist()]
        tables.append(table.set_column(8, "y", pa.array(labels)))
    later = learning(
        tmp_path,
        spec_text("multiclass"),
        tables=tables,
        outside=world.context.ports,
        run="later",
        first=DAYS,
    )
    judged = gate.run(later.context, later.gate_request(later.train_all(), "later"))
    assert judged.verdict == "promote", judged.reasons


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
    refused = [_swapped(world, t, MUTANTS["inverted"]) for t in world.train_all()]
    judged = gate.run(world.context, world.gate_request(refused))
    assert judged.verdict == "refuse"
    assert releases.newest(world.context.ports.store, world.context.spec.name).version == "1"
    assert world.context.ports.registry.alias(world.context.spec.name) == "1"
