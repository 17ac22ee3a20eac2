"""Cause and effect stand beside the verdict: a broken pipe is an alarm, and nothing else is."""

from __future__ import annotations

import pytest

from pipelines.science.causes.cause import Cause
from pipelines.science.causes.shapes import Shape
from pipelines.science.drift import Decision
from pipelines.science.effects.effect import ColumnEffect, Effect
from pipelines.verdicts.explanations import in_short
from pipelines.watch.explained_result import told
from pipelines.watch.explanation import Explanation, render_explanation, with_cause

UNITS = Cause("broken_upstream", ["temp: fits after x -> x / 1000"], "units", ["temp"], "sure")
EFFECT = Effect(
    "nothing_follows",
    ["the mean loss changes by +0.001"],
    [ColumnEffect("temp", 0.3, 0.5, 0.15, 0.02), ColumnEffect("<b>", 0.1, 0.5, 0.05)],
    flips=0.01,
)
SHAPE = Shape("temp", ["below 1", "1 to 2", "above 2"], [0.0, 0.1, 0.9], [0.0, 1.0, 0.0])


def explained(cause, effect=None):
    return Explanation(cause, effect, [SHAPE])


def test_a_broken_pipe_is_an_alarm_with_its_evidence_as_reasons():
    found = with_cause(Decision("drift", ["temp has drifted"]), explained(UNITS))
    assert found.verdict == "alarm"
    assert found.reasons == [
        "A pipe is broken upstream: values in another unit",
        "temp: fits after x -> x / 1000",
        "temp has drifted",
    ]


@pytest.mark.parametrize("verdict", ["no_drift", "not_enough_data"])
def test_a_sure_sign_is_an_alarm_though_no_test_says_changed(verdict):
    assert with_cause(Decision(verdict, ["calm"]), explained(UNITS)).verdict == "alarm"


@pytest.mark.parametrize(
    ("decision", "explanation"),
    [
        (Decision("drift", ["a"]), explained(Cause("population", ["b"]))),
        (Decision("drift", ["a"]), explained(Cause("concept", ["b"]))),
        (Decision("drift", ["a"]), "the cause could not be named"),
        (Decision("not_enough_data", ["a"]), explained(Cause("broken_upstream", ["b"], "nulls"))),
        (Decision("alarm", ["a"]), explained(UNITS)),
        (Decision("no_drift", ["a"]), explained(Cause("broken_upstream", ["b"], "nulls"))),
    ],
)
def test_anything_else_leaves_the_verdict_as_it_was(decision, explanation):
    assert with_cause(decision, explanation) == decision


def test_the_result_holds_cause_and_effect_in_short():
    many = Cause("population", [f"sentence {i} " * 9 for i in range(40)], columns=["c"] * 400)
    fields = told(Explanation(many, EFFECT, []))
    assert fields["cause"].evidence[-1].startswith("… and")
    assert len(fields["cause"].columns) < 100
    assert fields["effect"].columns == ["temp", "<b>"]
    assert in_short(fields["cause"], fields["effect"])[0].startswith(
        "cause: Other rows come than in training (sentence 0"
    )
    assert told(None) == {}
    assert "effect" not in told(explained(UNITS))


def test_the_page_tells_both_with_a_plot_and_escapes_what_it_shows():
    page = render_explanation(explained(UNITS, EFFECT))
    assert "A pipe is broken upstream: values in another unit" in page
    assert "Changed, and nothing follows from it" in page
    assert "above 2: 90.0% of the window, 0.0% in training" in page
    assert page.count("<svg") == 1
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert render_explanation(None) == ""
