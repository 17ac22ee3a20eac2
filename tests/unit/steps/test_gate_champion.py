"""`gate` where somebody is champion: beaten fairly, or unable to answer."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.bundle.manifest import BundleManifest
from pipelines.deployment.process_target import ProcessTarget
from pipelines.deployment.serving_client import Serves
from pipelines.errors import Unreachable
from pipelines.messages import DeployRequest, PackageRequest
from pipelines.steps import deploy, gate, package
from pipelines.store.pages import find_page
from tests.unit.steps.candidates import MUTANTS, with_other_predictions
from tests.unit.steps.learning import DAYS, RUN, learning, rows, spec_text


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
    useless = [with_other_predictions(later, t, MUTANTS["shuffled"]) for t in trained]
    assert gate.run(later.context, later.gate_request(useless, "useless")).verdict == "refuse"


def test_a_champion_whose_input_is_gone_is_an_incident_too(tmp_path):
    world = learning(tmp_path)
    crown(world)
    text = spec_text().replace("inputs: [a, b, count", "inputs: [b, count")
    later = _later(tmp_path, world, text, signal=-1.0)
    judged = gate.run(later.context, later.gate_request(later.train_all(), "later"))
    assert "no column a" in judged.incident


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
