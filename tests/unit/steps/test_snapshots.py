"""Data without time: the loop from the source to the bundle, and a second snapshot."""

from __future__ import annotations

import pytest

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.data import labelled_rows
from pipelines.data.sides import held_out, sides_of
from pipelines.errors import BadData, RequestError
from pipelines.intervals import SNAPSHOT
from pipelines.ledger import Crown, Quarantine
from tests.snapshots import check, loans, make_snapshot


def test_the_whole_source_is_one_batch_known_by_its_content(tmp_path, ports):
    world = make_snapshot(tmp_path, ports, 300)
    first = world.ingest()
    assert (first.batches, first.rows, first.written) == (1, 300, 1)
    (batch,) = world.plan(first).batches
    assert (batch.interval.name, batch.version) == ("snapshot", 1)
    world.write(loans(300).sample(frac=1, random_state=1))
    assert world.ingest().written == 0
    world.write(loans(301))
    again = world.ingest()
    assert (again.written, again.late) == (1, 1)
    assert world.plan(again).batches[0].version == 2


def test_as_of_names_the_newest_snapshot_that_was_known_then(tmp_path, ports):
    world = make_snapshot(tmp_path, ports, 300)
    old = world.ingest()
    world.later("r2")
    world.write(loans(400))
    assert world.ingest().rows == 400
    back = world.ingest(as_of="2026-01-01T12:00:00Z")
    assert world.plan(back).batches == world.plan(old).batches
    newest = world.ingest(as_of="2026-01-02T00:00:00Z")
    assert world.plan(newest).batches[0].version == 2
    with pytest.raises(RequestError, match=r"no snapshot .* known since 2026-01-01"):
        world.ingest(as_of="2025-12-31T00:00:00Z")
    with pytest.raises(RequestError, match="lies in the future"):
        world.ingest(as_of="2027-01-01T00:00:00Z")


def test_a_snapshot_that_breaks_its_suite_goes_to_quarantine_by_that_name(tmp_path, ports):
    world = make_snapshot(tmp_path, ports, 300)
    world.write(loans(300).assign(late=99))
    with pytest.raises(BadData, match="snapshot: events"):
        world.build_from_source()
    (entry,) = ports.ledger.entries("loans", "quarantine")
    assert entry.read(Quarantine).interval == SNAPSHOT


def test_a_first_model_is_judged_on_rows_that_no_fit_has_seen(tmp_path, ports):
    world = make_snapshot(tmp_path, ports, 700)
    built, trained, judged = world.judge(world.build_from_source())
    assert (judged.verdict, judged.reasons) == ("promote", [])
    assert "resamples of" in check(judged, "versus dummy")
    assert trained[1].sides == sides_of(world.context.spec)
    packaged = world.package(built, trained, judged)
    holdout, _ = labelled_rows.holdout(world.context, built)
    assert packaged.rows == 700 - holdout.num_rows == trained[1].rows_train
    manifest = open_bundle(ports.store, packaged.bundle).manifest
    assert manifest.sides == trained[1].sides
    assert manifest.fitted_on == SNAPSHOT
    assert manifest.settings is not None
    assert manifest.settings.estimator == "sklearn.linear_model.LogisticRegression"


def test_a_second_snapshot_is_compared_on_rows_that_neither_has_seen(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.crown(loans(700))
    before, _ = labelled_rows.holdout(world.context, world.build(loans(700)))
    world.later("r2")
    built, trained, judged = world.judge(loans(1_400))
    after, _ = labelled_rows.holdout(world.context, built)
    assert set(before["customer"].to_pylist()) <= set(after["customer"].to_pylist())
    assert check(judged, "rows").startswith(f"{after.num_rows} held-out rows")
    assert "no version is ever fitted on that side" in check(judged, "unseen")
    assert judged.champion == "1"
    # The same signal, learnt from twice the rows, is no better: nothing is proven.
    assert judged.verdict == "refuse"
    assert "not proven better" in check(judged, "versus champion")
    assert trained[1].rows_holdout == after.num_rows


def test_other_sides_leave_the_rows_that_both_hold_out(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.crown(loans(2_000))
    champion = sides_of(world.context.spec)
    world.later("r2")
    world.respec("seed: 1", "seed: 1, holdout: 0.5")
    built, _, judged = world.judge(loans(2_000))
    holdout, _ = labelled_rows.holdout(world.context, built)
    fair = int(held_out(holdout, champion, ["customer"]).sum())
    assert 300 < fair < holdout.num_rows
    assert f"{fair} of the {holdout.num_rows} held-out rows" in check(judged, "unseen")
    assert check(judged, "rows").startswith(f"{fair} held-out rows")


def test_with_another_seed_too_few_rows_are_fair_and_both_are_fitted_again(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.crown(loans(700))
    world.later("r2")
    world.respec("seed: 1", "seed: 2")
    _, _, judged = world.judge(loans(700))
    assert "are new to both" in check(judged, "rows")
    assert "fitted again over all 700 rows" in check(judged, "rows")
    # Both have the same settings: no fold tells them apart.
    assert "by +0, at least +0" in check(judged, "versus champion")
    assert judged.verdict == "refuse"


def test_a_champion_is_fitted_again_with_its_steps_and_its_calibration(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    steps = "steps: [{step: bins, columns: [income], count: 4}], calibrate: sigmoid"
    world.respec("LogisticRegression}", f"LogisticRegression, {steps}}}")
    world.crown(loans(80))
    world.later("r2")
    world.respec("seed: 1", "seed: 2")
    _, _, judged = world.judge(loans(80))
    # Without its steps it would be another model, and some folds would tell them apart.
    assert "by +0, at least +0" in check(judged, "versus champion")


def test_a_champion_from_a_time_with_event_times_is_not_compared_unseen(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    packaged = world.crown(loans(700))
    manifest = open_bundle(ports.store, packaged.bundle).manifest
    older = write_bundle(ports.store, manifest.model_copy(update={"sides": None, "version": "9"}))
    crown = Crown(version="9", bundle=older, release=2)
    ports.ledger.crown("loans", expected=packaged.version, champion=crown, key="older")
    world.later("r2")
    world.respec("seed: 1", "seed: 1, holdout: 0.3")
    _, _, judged = world.judge(loans(12_000))
    assert "it is not known which of the held-out rows the champion" in check(judged, "unseen")
    assert judged.verdict == "refuse"


def test_a_small_snapshot_is_judged_over_folds(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    _, _, judged = world.judge(loans(80))
    assert "fitted again over all 80 rows (5 folds, cut 10 times)" in check(judged, "rows")
    assert "of the 50 folds" in check(judged, "versus dummy")
    assert (judged.verdict, judged.reasons) == ("promote", [])
    assert judged.metrics["roc_auc"] == pytest.approx(0.8, abs=0.15)


def test_a_search_is_repeated_within_each_fold(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.respec("LogisticRegression}", "LogisticRegression, search: {C: [0.01, 1.0]}}")
    _, _, judged = world.judge(loans(80))
    assert "the best of 2 settings chosen anew in each" in check(judged, "rows")


def test_a_small_snapshot_whose_champion_has_other_settings(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.respec("LogisticRegression}", "LogisticRegression, params: {C: 0.000001}}")
    world.respec("at_least: {roc_auc: 0.6}", "at_least: {roc_auc: 0.5}")
    world.crown(loans(80))
    world.later("r2")
    world.respec("C: 0.000001", "C: 1.0")
    _, _, judged = world.judge(loans(80))
    assert judged.champion == "1"
    assert judged.incident == ""
    assert "of the 50 folds" in check(judged, "versus champion")
    assert "of the 50 folds" not in check(judged, "guard log_loss")


def test_a_champion_that_cannot_be_fitted_again_is_an_incident(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.crown(loans(80))
    world.later("r2")
    world.respec("[income, late, region]", "[late, region]")
    _, _, judged = world.judge(loans(80).drop(columns="income"))
    assert "it needs income, which is not built any more" in judged.incident
    assert "of the 50 folds" in check(judged, "versus dummy")


def test_rows_of_a_group_are_on_one_side_and_are_drawn_together(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.respec("seed: 1", "seed: 1, group: branch")
    built, _, judged = world.judge(loans(2_000))
    split = labelled_rows.split(world.context, built)
    sides = [set(part["branch"].to_pylist()) for part in (split.train, split.holdout)]
    assert sides[0].isdisjoint(sides[1])
    assert f"resamples of {len(sides[1])} groups" in check(judged, "versus dummy")


def test_too_few_groups_are_refused_in_words(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.respec("seed: 1", "seed: 1, group: branch")
    _, _, judged = world.judge(loans(290))
    assert "29 groups are fewer than 30: nothing can be proven" in check(judged, "rows")
    assert judged.verdict == "refuse"


def test_a_class_of_one_row_is_refused_in_words(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    world.respec("task: binary", "task: multiclass")
    world.respec("at_least: {roc_auc: 0.6}", "at_most: {log_loss: 1.2}")
    world.respec("metric: roc_auc", "metric: log_loss")
    world.respec("log_loss}, guards: {log_loss: 0.1}", "log_loss}")
    frame = loans(80)
    kinds = frame["fault"].map({0: "good", 1: "late"})
    _, _, judged = world.judge(frame.assign(fault=kinds.where(frame.index != 40, "fraud")))
    assert "A class of fault has one row only" in check(judged, "versus dummy")
    assert judged.verdict == "refuse"
