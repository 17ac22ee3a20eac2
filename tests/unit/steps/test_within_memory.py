"""A run with more rows than its memory holds: trained, judged and packaged on what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipelines.bundle.load import open_bundle, read_manifest
from pipelines.bundle.rows import feed_from_table
from pipelines.data import labelled_rows
from pipelines.ledger import GateVerdict, Training
from pipelines.messages import PackageRequest, Sampled
from pipelines.rebuilding.build import train_again
from pipelines.recipes import learnt_of, read_recipe
from pipelines.steps import gate, package
from pipelines.verdicts import words
from tests.unit.steps.learning import RUN, learning, spec_text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.steps.learning import Learning

MOST = 250
LINEAR = "  - {name: tried, estimator: sklearn.linear_model.LogisticRegression}"
TREES = (
    "  - {name: tried, estimator: xgboost.XGBClassifier, params: {n_estimators: 15},"
    " search: {max_depth: [2, 3]}}"
)


def world_of(home: Path, candidate: str) -> Learning:
    made = learning(home, spec_text(candidates=candidate))
    return replace(made, built=made.built.model_copy(update={"most_rows": MOST}))


@pytest.mark.parametrize(("candidate", "in_parts"), [(LINEAR, False), (TREES, True)])
def test_a_run_says_what_it_was_fitted_and_judged_on(tmp_path, candidate, in_parts):
    world = world_of(tmp_path, candidate)
    context, ports = world.context, world.context.ports
    trained = world.train_all()
    best = trained[1]
    split = labelled_rows.split(context, world.built)
    rows, held = split.learnt, split.judged
    assert rows is not None
    assert held is not None
    counts = {"of": rows.count, "judged_of": held.count}
    expected = Sampled(learnt=MOST, judged=MOST, in_parts=in_parts, **counts)
    assert best.sampled == expected
    assert best.rows_train == (rows.count if in_parts else MOST)
    said = words.sampled(expected)
    assert f"{MOST} of {rows.count} rows, one in" in said
    assert ("fitted in parts on all" in said) == in_parts
    assert f"judged on a sample of {MOST} of {held.count} held-out rows, one in 1." in said

    verdict = gate.run(context, world.gate_request(trained))
    assert verdict.verdict == "promote", verdict.reasons
    assert verdict.sampled == expected
    entry = ports.ledger.find("visits", "verdict", RUN)
    assert entry is not None
    decision = entry.read(GateVerdict)
    assert decision.sampled == expected
    entries = [e.decision for e in ports.ledger.entries("visits", "training")]
    assert any(isinstance(e, Training) and said in e.words for e in entries)
    assert any(said in line.text for line in words.gate(verdict))
    run = ports.registry.runs[best.run_id]
    assert run.tags["sampled"] == said

    request = PackageRequest(run=RUN, features=world.built, train=trained, gate=verdict)
    packaged = package.run(context, request)
    manifest = read_manifest(ports.store, packaged.bundle)
    total = labelled_rows.parts_to_fit(context, world.built)
    assert total is not None
    assert manifest.rows == packaged.rows == (total.count if in_parts else MOST)
    assert manifest.learnt_of == (None if in_parts else total.count)
    assert manifest.compiled, manifest.why_native
    asked, _ = labelled_rows.holdout(context, world.built)
    bundle = open_bundle(ports.store, packaged.bundle, context.settings)
    answers = bundle.predictor.predict_feed(feed_from_table(manifest.inputs.columns, asked))
    assert len(answers) == MOST


def test_a_version_is_built_again_by_the_number_that_its_run_kept(tmp_path):
    world = world_of(tmp_path, TREES)
    trained = world.train_all()
    verdict = gate.run(world.context, world.gate_request(trained))
    entry = world.context.ports.ledger.find("visits", "verdict", RUN)
    assert entry is not None
    made_from = entry.read(GateVerdict).made_from
    assert made_from is not None
    recipe = read_recipe(world.context.ports.store, made_from.recipe)
    assert recipe.features.most_rows == MOST
    # Elsewhere nobody states a memory, and another one has no say.
    elsewhere = world_of(tmp_path / "elsewhere", TREES)
    settings = elsewhere.context.settings.model_copy(update={"memory": "64g"})
    context = replace(elsewhere.context, settings=settings)
    again = train_again(
        context,
        recipe,
        recipe.features.model_copy(
            update={
                "version": elsewhere.built.version,
                "plan": elsewhere.built.plan,
                "parent_run": elsewhere.built.parent_run,
            }
        ),
    )
    best = next(t for t in trained if t.candidate == verdict.candidate)
    assert learnt_of(again) == learnt_of(best) == recipe.learnt


def test_records_of_runs_that_hold_all_rows_are_as_they_ever_were(tmp_path):
    world = learning(tmp_path)
    assert "most_rows" not in world.built.model_dump(mode="json")
    trained = world.train("linear")
    assert "sampled" not in trained.model_dump(mode="json")
