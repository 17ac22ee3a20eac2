"""A card says what the records say, and of the rest that it is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.cards import markdown, page
from pipelines.cards.figures import CardFigures, find_figures
from pipelines.cards.writing import newest_version, write_card
from pipelines.data.manifests import BatchRef, Plan
from pipelines.errors import RequestError, TryAgain
from pipelines.intervals import Interval
from pipelines.ledger import (
    Approval,
    Features,
    MemoryLedger,
    Override,
    Validation,
    record_step,
)
from pipelines.messages import GateCheck
from pipelines.refs import canonical
from pipelines.store.memory import MemoryStore
from tests.conftest import ROOT
from tests.decisions import NOTHING, crown, gate_verdict
from tests.unit.cards.records import MODEL, RUN, judged, measured, recipe

START, DAY = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)
SPECS = sorted([*ROOT.glob("models/*/model.yaml"), *ROOT.glob("examples/*/model.yaml")])
APPROVAL = Approval(version="1", approved=True, by="ann", answered_at="2024-01-05T08:30:00Z")
OVERRIDE = Override(version="1", by="bob", reason="it must", refused_by=RUN, reasons=["too few"])


@pytest.fixture
def store():
    return MemoryStore()


def text_of(ledger, store, version="1"):
    return markdown.render(write_card(ledger, store, MODEL, version))


def section(text, title):
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_each_part_stands_there(store):
    measured(store)
    text = text_of(judged(store), store)
    assert text.startswith(f"# {MODEL}, version 1\n")
    assert "arrive more than 15 minutes late?" in section(text, "Purpose")
    assert "| roc_auc | 0.71 | 0.68 to 0.74 |" in section(text, "Metrics")
    assert "| metric | on the held-out rows | 90% interval |" in section(text, "Metrics")
    assert "- judged on: 400 held-out rows, which are 30 days" in section(text, "Data")
    assert "- learnt from: 1,200 rows" in section(text, "Data")
    assert "| rows | pass | 400 held-out rows |" in section(text, "Verdict")
    assert "- seed: 7" in section(text, "Lineage")
    assert "C 0.5" in section(text, "Lineage")


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.parent.name)
def test_the_card_of_each_kind_of_task_says_what_it_answers(store, path):
    spec = path.read_bytes()
    ledger = judged(store, made_from=recipe(store, spec))
    card = write_card(ledger, store, MODEL, "1")
    facts = dict(card.sections[0].facts)
    assert facts["purpose"] == card.purpose
    task = next(line.split()[1] for line in spec.decode().splitlines() if line.startswith("task:"))
    assert f"({task})" in facts["answers"]
    assert ("target:" in spec.decode()) == (not facts["target"].startswith("none"))
    assert facts["purpose"] in page.render(store, card)


def test_batches_features_and_expectations_are_those_of_the_run(store):
    ledger = judged(store)
    refs = [
        BatchRef(interval=Interval(start=day, end=day + DAY), version=1, manifest=NOTHING)
        for day in (START + i * DAY for i in range(4))
    ]
    plan = Plan(model=MODEL, as_of=START, lookback=[], train=refs[:3], holdout=refs[3:])
    ref = store.put(canonical(plan), ".json")
    record_step(ledger, MODEL, Features(run=RUN, plan=ref, revision="f", sha256="b" * 64, rows=9))
    held = {"batches": 4, "rows": 1_600, "expectations": 12, "warnings": 1, "suites": {}}
    record_step(ledger, MODEL, Validation(run=RUN, plan=ref, **held))
    said = section(text_of(ledger, store), "Data")
    assert "train: 3 batches (2024-01-01T00 to 2024-01-03T00)" in said
    assert "holdout: 1 batch (2024-01-04T00)" in said
    assert "- features revision: f, 9 rows" in said
    assert "12 expectations on 4 batches with 1,600 rows: none that is critical broke" in said


def test_without_figures_intervals_are_not_measured_and_the_reason_is_given(store):
    text = text_of(judged(store), store)
    assert "| roc_auc | 0.71 | not measured |" in text
    assert "did not record this" in section(text, "Metrics")
    assert "was not measured" in section(text, "Limits")
    off = CardFigures(version="1", candidate="linear", nothing="not measured: turned off")
    measured(store, **off.model_dump(exclude_unset=True))
    assert "Intervals: not measured: turned off." in section(
        text_of(judged(store), store), "Metrics"
    )


def test_an_interval_of_another_value_than_the_verdicts_is_not_shown(store):
    """A snapshot of few rows is judged over folds: its metric is another one."""
    measured(store)
    text = text_of(judged(store, metrics={"roc_auc": 0.75}), store)
    assert "0.68" not in text
    assert "not measured: the gate judged it otherwise (over folds, on fewer rows, or" in text


def test_a_metric_whose_interval_nobody_can_tell_says_why(store):
    measured(store, metrics={"roc_auc": {"value": 0.71, "untold": "of 3 days nobody can tell"}})
    text = text_of(judged(store), store)
    assert "| roc_auc | 0.71 | not known: of 3 days nobody can tell |" in text
    assert "How sure roc_auc is, nobody can tell: of 3 days" in section(text, "Limits")


def test_of_an_older_verdict_what_was_not_recorded_is_said(store):
    text = text_of(judged(store, made_from=None), store)
    assert "not known: model.yaml of that time was not kept" in text
    assert "- seed: not known" in text
    assert "- batches: not recorded (an earlier version" in text


def test_a_champion_without_a_verdict_has_a_card_too(store):
    ledger = MemoryLedger()
    ledger.append(MODEL, "old", crown("1"))
    text = text_of(ledger, store)
    assert "Its verdict is not known" in text


def test_a_spec_that_makes_no_sense_here_is_not_guessed(store):
    made = recipe(store, b"version: 99\n")
    assert "not known: model.yaml" in text_of(judged(store, made_from=made), store)


def test_who_approved_it_and_when(store):
    ledger = judged(store)
    ledger.append(MODEL, RUN, APPROVAL)
    text = text_of(ledger, store)
    assert "- **Approved by ann at 2024-01-05T08:30:00Z.**" in text
    assert "- approved: by ann at 2024-01-05T08:30:00Z (entry 2)" in section(text, "People")


def test_who_did_not_approve_it(store):
    ledger = judged(store)
    no = {"approved": False, "why": "ann did not approve it"}
    ledger.append(MODEL, RUN, APPROVAL.model_copy(update=no))
    assert "**Not approved: ann did not approve it.**" in text_of(ledger, store)


def test_an_overridden_version_is_marked_with_who_and_why(store):
    refused = {"verdict": "refuse", "reasons": ["too few"]}
    ledger = judged(store, **refused)
    ledger.append(MODEL, "override:1", OVERRIDE)
    card = write_card(ledger, store, MODEL, "1")
    assert [m.tone for m in card.marks] == ["bad", "bad"]
    text, html = markdown.render(card), page.render(store, card)
    for shown in (text, html):
        assert "It was refused, and bob promoted it all the same: it must" in shown
    assert "- refused before: too few" in section(text, "People")


def test_what_a_later_gate_says_beside_a_check_is_shown_too(store):
    class LaterCheck(GateCheck):
        value: float | None = None
        would_pass: str = ""

    card = write_card(judged(store), store, MODEL, "1")
    assert card.sections[1].table.rows[0][2] == "400 held-out rows"
    from pipelines.cards.judgement import _detail

    later = LaterCheck(name="x", passed=False, detail="bad", value=0.123456, would_pass="0.2")
    assert _detail(later) == "bad; value: 0.1235; would pass: 0.2"


def test_a_failed_check_and_a_worse_slice_are_limits(store):
    slice_ = {
        "name": "carrier = XX", "rows": 66, "metric": None, "loss": 0.9, "low": 0.7, "high": 1.1,
        "difference": 0.4, "p": 0.0001, "is_worse": True,
    }  # fmt: skip
    measured(store, slices=[slice_], slices_looked_at=9, slice_loss="log loss", slice_unit="days")
    checks = [GateCheck(name="floor", passed=False, detail="0.71 is below 0.8")]
    text = text_of(judged(store, verdict="refuse", reasons=["x"], checks=checks), store)
    assert "It failed 1 check of the gate: floor." in section(text, "Limits")
    assert "It errs more on rows where carrier = XX (66 rows)." in section(text, "Limits")
    assert (
        "| carrier = XX | 66 | not defined | 0.9 (0.7 to 1.1) | +0.4 | < 0.001 | worse |".replace(
            "<", "&lt;"
        )
        in section(text, "Slices")
    )


def test_the_first_figures_of_a_run_count(store):
    measured(store)
    kept = measured(store, evidence="31 days")
    assert kept.evidence == find_figures(store, MODEL, RUN).evidence == "30 days"


def test_figures_that_were_changed_are_not_shown(store):
    measured(store)
    (key,) = store.keys(f"pages/{MODEL}/card_figures/{RUN}")
    store.remove("entries", key, unused_since=float("inf"))
    store.publish(key, b'{"version": "1"}')
    assert "| roc_auc | 0.71 | not measured |" in text_of(judged(store), store)


def test_a_store_that_is_away_is_no_reason_for_a_card_without_it(store, monkeypatch):
    ledger = judged(store)

    def away(_):
        raise TryAgain("the store is away")

    monkeypatch.setattr(store, "get", away)
    with pytest.raises(TryAgain):
        write_card(ledger, store, MODEL, "1")


def test_the_champions_card_is_meant_where_none_is_named(store):
    ledger = judged(store)
    ledger.append(MODEL, "r2", gate_verdict(version="2"))
    assert newest_version(ledger, MODEL) == "2"
    ledger.crown(MODEL, expected=None, champion=crown("1"), key=RUN)
    assert newest_version(ledger, MODEL) == "1"
    with pytest.raises(RequestError, match="no card"):
        newest_version(MemoryLedger(), MODEL)


def test_the_same_records_give_the_same_card(store):
    measured(store)
    ledger = judged(store)
    assert text_of(ledger, store) == text_of(ledger, store)
