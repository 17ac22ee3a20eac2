"""A look at a window, with the real Evidently.

Whatever the data, a defined verdict with its reason.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.spec.drift import Drift, Performance, Rule
from pipelines.watch.comparison import look
from pipelines.watch.sides import Labelled
from tests.unit.watch.looks import fact_of, look_and_decide, look_without_page
from tests.unit.watch.windows import (
    CHAMPION,
    ROWS,
    RULES,
    answers,
    champion,
    labelled,
    table,
    times,
    window,
)

CHANCE = np.random.default_rng(8)


def test_the_same_distributions_are_no_drift_and_the_figures_are_evidentlys():
    from scipy.stats import wasserstein_distance

    found, decision = look_and_decide(window(), labels=labelled())
    assert decision.verdict == "no_drift"
    assert not found.facts.drifted_names
    ours, theirs = (np.asarray(t["delay"]) for t in (window().inputs, CHAMPION.reference.inputs))
    delay = fact_of(found, "delay")
    assert delay.method == "wasserstein"
    assert delay.score < delay.threshold
    assert delay.score == pytest.approx(
        wasserstein_distance(theirs, ours) / np.std(theirs), abs=1e-8
    )
    assert [fact_of(found, n).method for n in ("night", "carrier")] == ["jensenshannon"] * 2
    assert not found.facts.predictions.drifted
    assert found.facts.performance.rows == ROWS
    assert [(f.family, f.said) for f in found.facts.families] == [
        ("missing", "unchanged"),
        ("inputs", "unchanged"),
        ("together", "unchanged"),
        ("predictions", "unchanged"),
        ("performance", "unchanged"),
    ]
    assert {f.level for f in found.facts.families} == {0.01}
    assert found.evidently.startswith(b"\n<!DOCTYPE html>") or b"<html" in found.evidently[:500]


def test_an_input_that_shifted_is_drift_that_names_it_and_the_statistic():
    found, decision = look_without_page(window(table(ROWS, 1, shift=0.3)))
    assert found.facts.drifted_names == ["delay"]
    assert decision.verdict == "drift"
    assert "inputs have changed: delay (" in decision.reasons[0]
    delay = fact_of(found, "delay")
    assert delay.score > delay.threshold
    assert delay.p_value < 0.01


def test_a_lost_correlation_is_seen_though_each_input_is_as_it_was():
    rng = np.random.default_rng(7)

    def pair(rows, correlation):
        one = rng.normal(size=rows)
        other = correlation * one + (1 - correlation**2) ** 0.5 * rng.normal(size=rows)
        return pa.table({"one": one, "other": other})

    against = champion(pair(2_000, 0.8))
    assert look_without_page(window(pair(ROWS, 0.8)), against=against)[1].verdict == "no_drift"
    found, decision = look_without_page(window(pair(ROWS, 0.0)), against=against)
    assert decision.verdict == "drift"
    assert "how they go together" in decision.reasons[0]
    assert not found.facts.drifted_names


def test_a_threshold_of_the_specs_own_is_a_rule_beside_the_test():
    rule = Rule(method="wasserstein", threshold=0.05)
    rules = Drift(schedule="monthly", columns={"delay": rule})
    found, decision = look_without_page(window(), rules)
    assert decision.verdict == "drift"
    assert "1 of 1 input with a threshold of the spec's own" in decision.reasons[0]
    assert (fact_of(found, "delay").passed, fact_of(found, "delay").p_value > 0.05) == (True, True)


def test_predictions_that_shifted_are_drift_by_themselves():
    _, decision = look_without_page(window(predictions=answers(ROWS, 1) ** 0.5))
    assert decision.verdict == "drift"
    assert "the predictions have changed" in decision.reasons[0]


def test_answers_that_got_worse_are_drift_in_words_that_carry_the_numbers():
    _, decision = look_without_page(window(), labels=labelled(skill=0.0))
    assert decision.verdict == "drift"
    assert "more wrong than on its holdout" in decision.reasons[0]
    assert "roc_auc is 0.537 on 800 labelled rows, and was 0.7 there" in decision.reasons[0]
    rules = Drift(schedule="monthly", performance=Performance(tolerance=0.1))
    _, decision = look_without_page(window(), rules, labelled(skill=0.0))
    assert "it promised 0.7, and 10% of that is tolerated" in decision.reasons[1]


def test_errors_that_grew_are_drift_where_less_is_better():
    reference = np.random.default_rng(4).normal(50, 9, 2_000)
    truth = reference + np.random.default_rng(3).normal(0, 2.0, 2_000)
    against = champion(
        predictions=reference,
        metric="mae",
        expected=1.6,
        task="regression",
        held=Labelled(truth, reference, times(2_000, days=60)),
    )
    p = np.random.default_rng(5).normal(50, 9, ROWS)
    for noise, verdict in ((2.0, "no_drift"), (2.6, "drift")):
        labels = Labelled(p + np.random.default_rng(6).normal(0, noise, ROWS), p, times(ROWS))
        assert (
            look_without_page(window(predictions=p), RULES, labels, against)[1].verdict == verdict
        )


def test_classes_are_compared_by_label_and_scored_by_their_probabilities():
    reference = CHANCE.choice(["red", "green", "blue"], 2_000).astype(object)
    held = CHANCE.integers(0, 3, 2_000)
    sure_held = np.full((2_000, 3), 0.2) + 0.4 * np.eye(3)[held]
    sure_held[::3] = 1 / 3
    against = champion(
        predictions=reference,
        metric="log_loss",
        expected=0.69,
        task="multiclass",
        classes=["blue", "green", "red"],
        held=Labelled(held, sure_held, times(2_000, days=60)),
    )
    seen = CHANCE.choice(["red", "green", "blue"], ROWS).astype(object)
    y = CHANCE.integers(0, 3, ROWS)
    p = np.full((ROWS, 3), 0.2) + 0.4 * np.eye(3)[y]
    p[::3] = 1 / 3
    sure = Labelled(y, p, times(ROWS))
    quiet, decision = look_without_page(window(predictions=seen), RULES, sure, against)
    assert decision.verdict == "no_drift"
    assert quiet.facts.families[-1].said == "unchanged"
    blind = replace(sure, p=np.full((ROWS, 3), 1 / 3))
    _, decision = look_without_page(window(predictions=seen), RULES, blind, against)
    assert decision.verdict == "drift"
    assert "more wrong" in decision.reasons[0]
    red = window(predictions=np.array(["red"] * ROWS, dtype=object))
    assert look_without_page(red, RULES, None, against)[1].verdict == "drift"


def test_whole_numbers_for_numbers_and_other_arrow_types_of_one_kind_are_fine():
    inputs = table(ROWS, 1)
    inputs = inputs.set_column(4, "carrier", inputs["carrier"].dictionary_encode())
    inputs = inputs.set_column(2, "weekday", inputs["weekday"].cast(pa.float64()))
    inputs = inputs.set_column(1, "distance", inputs["distance"].cast(pa.float32()))
    assert look_without_page(window(inputs))[1].verdict == "no_drift"
    whole = window(inputs.set_column(0, "delay", pa.array([0, 1] * (ROWS // 2))))
    assert look_without_page(whole)[1].verdict == "drift"


def test_evidently_says_nothing_of_the_whole_window():
    found, _ = look_and_decide(window())
    assert b"Dataset Drift" not in found.evidently
    assert b"The verdict on the window also looks at" in found.evidently


def flags_of(monkeypatch, *args, **rest):
    """What Evidently itself says of each column of a look, and what the look says."""
    from pipelines.watch import comparison

    said = {}
    asked = comparison.evidently_run.run

    def listen(*given, **more):
        scores, page = asked(*given, **more)
        said.update({name: score.drifted for name, score in scores.items()})
        return scores, page

    monkeypatch.setattr(comparison.evidently_run, "run", listen)
    found, _ = look_and_decide(*args, **rest)
    ours = {c.name: c.drifted for c in [*found.facts.columns, found.facts.predictions]}
    return said, ours


@pytest.mark.parametrize("numbers", ["wasserstein", "ks", "psi"])
def test_evidentlys_page_says_of_each_column_what_the_test_says(monkeypatch, numbers):
    rules = Drift(schedule="monthly", numbers=Rule(method=numbers))
    said, ours = flags_of(monkeypatch, window(table(ROWS, 1, shift=0.3)), rules)
    assert said == ours
    assert ours["delay"]
    assert not ours["distance"]


def test_the_same_window_gives_the_same_figures_and_the_same_page():
    one, other = (look(RULES, window(), labelled(), CHAMPION, seed=1) for _ in range(2))
    assert one == other


def test_a_window_above_the_sample_is_compared_over_all_rows(monkeypatch):
    from pipelines.watch import evidently_samples

    monkeypatch.setattr(evidently_samples, "ROWS", 500)
    said, ours = flags_of(monkeypatch, window(table(ROWS, 1, shift=0.3)))
    assert said == ours
    assert ours["delay"]
