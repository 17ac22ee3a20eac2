"""The page of a drift check says the verdict first, escapes everything, and is complete in
itself."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipelines.intervals import Interval
from pipelines.science.changes.facts import Changes, ColumnChange, FamilyChange
from pipelines.science.drift import decide
from pipelines.science.drift_facts import ColumnFact, DriftFacts
from pipelines.science.live_performance import PerformanceFact
from pipelines.spec.drift import Drift
from pipelines.watch.page import About, render

RULES = Drift(schedule="monthly")
TOLERANT = Drift(schedule="monthly", performance={"tolerance": 0.02})
MONTH = Interval(start=datetime(2026, 4, 1, tzinfo=UTC), end=datetime(2026, 5, 1, tzinfo=UTC))
ABOUT = About("flights", MONTH, "traffic", "7", 900, {"asked more than once": 12})
COLUMNS = [
    ColumnFact("calm", "wasserstein", 0.1, 0.02, drifted=False, missing=0.0, missing_reference=0.0),
    ColumnFact("wild", "wasserstein", 0.1, 0.9, drifted=True, missing=0.0, missing_reference=0.0),
    ColumnFact(
        "gone",
        "wasserstein",
        0.1,
        None,
        drifted=False,
        missing=1.0,
        missing_reference=0.01,
        problem="no value in the window",
    ),
    ColumnFact("tested", "ks", 0.05, 0.001, drifted=True, missing=0.0, missing_reference=0.0),
]
WORSE = PerformanceFact("roc_auc", 0.61, 0.64, 0.72, 900, worse=True, bad_end=0.58)
CHANGES = Changes(
    [
        FamilyChange("missing", "unchanged", 0.01, 0.4, null="40 windows of the past"),
        FamilyChange(
            "inputs",
            "changed",
            0.01,
            0.002,
            [ColumnChange("wild", "mean", 0.9, 0.1, 0.002, changed=True)],
            "days drawn 600 times",
        ),
        FamilyChange("together", "cannot_be_said", 0.01, None, untold="the past is 3 days"),
        FamilyChange(
            "performance",
            "changed",
            0.01,
            0.003,
            [ColumnChange("loss", "mean", -0.9, 0.1, 0.003, changed=True)],
        ),
    ]
)
FACTS = DriftFacts(
    1_000,
    changes=CHANGES,
    columns=COLUMNS,
    predictions=ColumnFact(
        "predictions", "psi", 0.2, 0.05, drifted=False, missing=0.0, missing_reference=0.0
    ),
    performance=WORSE,
)


def _page(facts, about=ABOUT, href=None):
    return render(about, facts, decide(facts, RULES), RULES, href=href)


def _text(page):
    return " ".join(
        re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).replace("&#32;", " ").split()
    )


def test_the_verdict_comes_first_and_the_inputs_stand_furthest_first():
    text = _text(_page(FACTS))
    marks = (
        "Drift of flights",
        "served traffic from 2026-04-01 00:00",
        "values are missing in 1 input: gone",
        "The window",
        "900 (90.0 %",
    )
    assert [text.index(m) for m in marks] == sorted(text.index(m) for m in marks)
    table = text[text.index("score against threshold") :]
    order = [table.index(f" {n} ") for n in ("predictions", "gone", "wild", "tested", "calm")]
    assert order == sorted(order)
    assert "asked more than once 12" in text
    assert "The champion promised 0.72: even at best it is lower by more than that" in text


def test_each_family_stands_with_its_level_its_p_value_and_what_chance_does():
    text = _text(_page(FACTS))
    assert 'all together are to say "changed" in at most about 5 % of cases' in text
    for row in (
        "missing values unchanged 1% 0.4 40 windows of the past",
        "each input changed 1% 0.002 days drawn 600 times",
        "the inputs together cannot be said 1% the past is 3 days",
        "how right the answers are better than before 1% 0.003",
    ):
        assert row in text
    assert "against the whole reference" not in text
    matched = replace(FACTS, whole=CHANGES, matched="matched by hour of the day")
    text = _text(_page(matched))
    assert text.index("matched by hour of the day") < text.index("against the whole reference")


def _claim(method, now, before, *, changed, nominal=0.0, name=""):
    return ColumnChange(
        name, method, now - before, 0.05, 0.002, changed, now=now, before=before, nominal=nominal
    )


def test_what_answers_claim_stands_in_words_with_what_changed():
    columns = [
        ColumnChange("loss", "mean", 0.01, 0.1, 0.4, changed=False, now=0.2, before=0.19),
        _claim("bias", -0.001, 0.002, changed=False),
        _claim("coverage", 0.78, 0.91, changed=True, nominal=0.9, name="0.05 to 0.95"),
        _claim("error", 0.5, 1.5, changed=True),
    ]
    family = FamilyChange("performance", "changed", 0.01, 0.002, columns)
    text = _text(_page(replace(FACTS, changes=Changes([family]))))
    assert "90% intervals (0.05 to 0.95) cover 78.0%, they covered 91.0% changed 0.002" in text
    assert "probabilities are too high by 0.001 (too low by 0.002 before) unchanged" in text
    assert "too low by 1.5 before) truer than before" in text
    assert text.index("What the tests say") < text.index("What answers claim")
    assert "What answers claim" not in _text(_page(FACTS))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (DriftFacts(900, columns=COLUMNS[:1], changes=Changes(CHANGES.families[:1])), "No drift"),
        (DriftFacts(900, columns=COLUMNS[:1]), "Not enough data"),
        (DriftFacts(3), "Not enough data"),
        (DriftFacts(900, broken=["the input night is missing"]), "Alarm"),
        (DriftFacts(0, error="the look at the window failed with ValueError: x"), "Alarm"),
        (
            DriftFacts(900, broken=[f"the input c{i} is missing" for i in range(40)]),
            "the input c39 is missing",
        ),
    ],
)
def test_every_verdict_has_a_page(facts, words):
    assert words in _text(_page(facts, About("flights", MONTH, "batches", None, 0)))


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (
            PerformanceFact("mae", 3.0, 2.8, 2.0, 900, worse=True, bad_end=3.2, tolerance=0.02),
            "promised 2, and 2% higher is tolerated: even at best it is higher by more than that",
        ),
        (PerformanceFact("mae", 1.9, 1.8, 2.0, 900, worse=False, bad_end=2.0), "that is kept"),
        (
            PerformanceFact("mae", 2.1, 1.8, 2.0, 900, worse=False, bad_end=2.4),
            "not proven to be missed",
        ),
        (PerformanceFact("mae", 2.1, None, None, 900, worse=False), "promised nothing"),
        (PerformanceFact("mae", 2.0, 2.0, 2.0, 900, worse=False, bad_end=2.0), "that is kept"),
    ],
)
def test_performance_is_said_in_words_whichever_way_the_metric_points(fact, words):
    facts = DriftFacts(1_000, columns=COLUMNS[:1], performance=fact)
    page = render(ABOUT, facts, decide(facts, TOLERANT), TOLERANT, href=None)
    assert words in _text(page)
    assert "nan" not in page


def test_what_data_say_is_escaped_and_evidentlys_page_is_linked_only_where_there_is_one():
    hostile = "<script>alert(1)</script>"
    facts = DriftFacts(
        900,
        broken=[hostile],
        notes=[hostile],
        columns=[
            ColumnFact(
                hostile,
                "psi",
                0.1,
                0.2,
                drifted=True,
                missing=0.0,
                missing_reference=0.0,
                problem=hostile,
            )
        ],
    )
    page = _page(
        facts, About(hostile, MONTH, "traffic", hostile, 0, {hostile: 1}), href='"><script>'
    )
    assert "<script" not in page
    assert "full page</a>" in page
    assert "full page</a>" not in _page(FACTS)


def test_the_page_is_complete_in_itself_and_the_same_for_the_same_facts():
    page = _page(FACTS, href="evidently.html")
    assert page == _page(FACTS, href="evidently.html")
    assert "http" not in page.replace("http-equiv", "")
    assert "prefers-color-scheme: dark" in page
