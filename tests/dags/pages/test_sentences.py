"""The ledger's entries in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from perennial_airflow.pages.sentences import describe_entry, span

from pipelines.intervals import Interval
from pipelines.ledger import (
    Admission,
    Approval,
    Decision,
    Ingest,
    Kind,
    MemoryLedger,
    Outcome,
    Override,
    PageRemoval,
    Proof,
    Quarantine,
    Reconciliation,
    ReleaseIntent,
    ReleaseRefusal,
    RequestConf,
    RetrainHold,
    RetrainRequest,
    SchemaChange,
    Turn,
)
from tests.decisions import NOTHING, crown, drift_check, gate_verdict, raw

WINDOW = Interval(start=datetime(2024, 1, 3, tzinfo=UTC), end=datetime(2024, 1, 4, tzinfo=UTC))
INTENT = ReleaseIntent(number=3, version="2", bundle=NOTHING, reason="")
RUN = "drift__sales__2024-01-04T00:00:00Z"
YES = Approval(version="2", approved=True, by="ann", answered_at="2024-01-04T00:00:00Z")
NO = YES.model_copy(update={"approved": False, "why": "ann did not approve it"})
OVER = Override(version="2", by="bob", reason="we must", refused_by="r", reasons=["weak", "old"])


def words(key: str, decision: Decision):
    ledger = MemoryLedger(now=lambda: datetime(2024, 1, 5, tzinfo=UTC))
    return describe_entry(ledger.append("sales", key, decision))


def links_of(key: str, decision: Decision):
    """Return the links of an entry where every page is there."""
    return words(key, decision).links_to("sales", lambda *_: True)


def outcome(run: str = RUN, **facts: Any) -> Outcome:
    return Outcome(**{"run": run, "outcome": "failed", "version": "", "reasons": [], **facts})


@pytest.mark.parametrize(
    ("decision", "badge", "tone", "text"),
    [
        (
            crown("2", release=3),
            "champion",
            "good",
            "version 2 became champion with release 3",
        ),
        (
            ReleaseIntent(number=3, version="2", bundle=NOTHING, reason="run r"),
            "release",
            "plain",
            "release 3 with version 2: run r",
        ),
        (
            ReleaseRefusal(number=3, version="2", difference="row 3 differs"),
            "refused",
            "bad",
            "row 3 differs",
        ),
        (YES, "approved", "good", "version 2: approved by ann"),
        (NO, "not approved", "warn", "version 2: ann did not approve it"),
        (
            OVER,
            "override",
            "bad",
            "version 2: refused, and overridden by bob: we must (refused because: weak; old)",
        ),
        (
            Quarantine(
                interval=WINDOW,
                version=1,
                batch=NOTHING,
                reasons=["a", "b"],
                bad_rows={},
                page=NOTHING,
            ),
            "quarantine",
            "bad",
            "the batch 2024-01-03 to 2024-01-04: a; b",
        ),
        (
            Admission(interval=WINDOW, batch=NOTHING, detail="units", by="ann", reason="it is so"),
            "admitted",
            "plain",
            "the batch 2024-01-03T00 is admitted by ann: it is so",
        ),
        (
            RetrainHold(run="w", run_id="x", window=WINDOW, why="cooldown", reasons=["drifted"]),
            "held back",
            "plain",
            "no retraining: cooldown",
        ),
        (Turn(run="r", event="begins"), "turn", "plain", "its turn came: r"),
        (
            PageRemoval(runs=["a", "b"], days=90),
            "pages removed",
            "plain",
            "Evidently's pages of 2 looks removed, which were older than 90 days",
        ),
        (
            Turn(run="r", event="declined", why="the budget is used up"),
            "held back",
            "plain",
            "declined: r: the budget is used up",
        ),
        (
            outcome(outcome="refused", version="4", reasons=["too weak"]),
            "refused",
            "warn",
            "the retraining ended, version 4: too weak",
        ),
        (outcome(), "failed", "bad", "the retraining ended"),
        (
            SchemaChange(changes=["events.a: new (text)", "events.b: gone"], before="", after="x"),
            "schema",
            "plain",
            "schema.yaml: events.a: new (text); events.b: gone",
        ),
        (
            Reconciliation(reason="the champion is 1"),
            "reconciled",
            "warn",
            "the champion is 1",
        ),
        (
            gate_verdict(verdict="refuse", reasons=["too weak"], started_because="the first"),
            "refuse",
            "warn",
            "linear (version 1): too weak (started because: the first)",
        ),
        (
            drift_check(),
            "drift",
            "warn",
            (
                "window 2024-01-03 to 2024-01-04: 3 of 4 inputs have drifted"
                " (240 rows of traffic, 231 labelled, against version 1;"
                " roc_auc 0.7123 live, 0.8312 expected)"
            ),
        ),
    ],
)
def test_a_decision_reads_as_one_would_say_it(decision, badge, tone, text):
    sentence = words("some run", decision)
    assert (sentence.badge, sentence.tone, sentence.text) == (badge, tone, text)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_an_entry_of_a_shape_that_is_not_known_shows_its_fields(kind):
    sentence = words(
        "some run", raw(kind, {"grade": "good", "count": 3, "sure": True, "more": [1]})
    )
    assert (sentence.badge, sentence.text) == (kind.replace("_", " "), "count 3, grade good")


def test_a_run_that_decided_again_is_linked_by_its_own_name():
    assert words("first~2", INTENT).links == [("run", "/dags/retrain_sales/runs/first")]
    assert words("a~2", outcome("a~2")).links == [("run", "/dags/retrain_sales/runs/a~2")]


@pytest.mark.parametrize(
    ("key", "decision"),
    [
        ("rollback:hand__2024-01-05T00:00:00Z", crown("1", release=3)),
        ("rollback:hand__2024-01-05T00:00:00Z~2", INTENT),
        ("promote:hand__2024-01-05T00:00:00Z", INTENT),
        ("hand__newest__2024-01-05T00:00:00Z", crown("1")),
        ("hand__newest__x", outcome("hand__newest__x", outcome="deployed")),
    ],
)
def test_what_a_command_has_done_links_to_no_run_of_airflow(key, decision):
    found = words(key, decision)
    assert [name for name, _ in found.links if name != "why"] == []
    assert found.links_to("sales", lambda *_: False) == found.links


def test_a_check_by_command_links_to_its_pages_alone():
    found = words("hand__drift__newest__x", drift_check())
    assert [name for name, _, _ in found.pages] == ["drift", "Evidently", "validation"]
    assert found.links == []


def test_a_rollback_by_dag_links_to_its_run():
    assert words("rollback:manual__x", crown("1")).links == [
        ("run", "/dags/rollback_sales/runs/manual__x"),
        ("why", "/perennial/why/sales/1"),
    ]


@pytest.mark.parametrize(("before", "after"), [("9", "10"), ("10", "9")])
def test_a_champion_leads_to_what_differs_from_the_one_before(before, after):
    """Also after a rollback: the page was made when version 10 was new."""
    follower = crown(after).model_copy(update={"previous": before})
    name, path = links_of("first", follower)[0]
    assert (name, path) == (f"against {before}", "/perennial/pages/sales/versions/9..10")


def test_a_verdict_leads_to_the_candidates():
    found = dict(links_of("first", gate_verdict()))
    assert found["comparison"] == "/perennial/pages/sales/comparison/first"
    assert found["card"] == "/perennial/pages/sales/card/first"
    assert found["why"] == "/perennial/why/sales/1"
    assert "why" not in dict(links_of("first", gate_verdict(version="")))


def test_pages_that_were_never_written_are_not_linked():
    verdict = words("first", gate_verdict())
    asked = []

    def has_page(*page: str) -> bool:
        asked.append(page)
        return page[1] == "comparison"

    assert dict(verdict.links_to("sales", has_page)) == {
        "comparison": "/perennial/pages/sales/comparison/first",
        **dict(verdict.links),
    }
    assert ("sales", "card", "first") in asked


def test_a_step_leads_to_its_run_where_that_is_of_one_kind():
    step = {"run": "x", "plan": NOTHING, "as_of": WINDOW.end, "batches": 3}
    drift = words("x", Ingest(purpose="drift", **step))
    assert drift.links == [("run", "/dags/drift_sales/runs/x")]
    assert drift.text == "3 batches for a drift check"
    assert words("x", Ingest(purpose="retrain", **step)).links == [
        ("run", "/dags/retrain_sales/runs/x")
    ]


def test_a_request_links_to_the_retraining_and_to_who_asked_for_it():
    request = RetrainRequest(
        run_id="x",
        asked_by="w",
        window=WINDOW,
        reasons=["2 inputs"],
        conf=RequestConf(as_of=WINDOW.end, reason="drift"),
    )
    found = words("000001", request)
    assert found.text == "a retraining was asked for, window 2024-01-03 to 2024-01-04: 2 inputs"
    assert found.links == [
        ("run", "/dags/retrain_sales/runs/x"),
        ("asked by", "/dags/drift_sales/runs/w"),
    ]


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (WINDOW, "2024-01-03 to 2024-01-04"),
        (
            Interval(
                start=datetime(2024, 1, 3, 5, tzinfo=UTC), end=datetime(2024, 1, 3, 6, tzinfo=UTC)
            ),
            "2024-01-03 05:00 to 2024-01-03 06:00",
        ),
    ],
)
def test_a_span_is_as_short_as_it_can_be(window, said):
    assert span(window) == said


def test_a_proof_says_how_the_champion_came_out_and_leads_to_its_page():
    equal = Proof(
        version="3", verdict="equal", differences=[], causes=[], rows=12_000, recipe=NOTHING
    )
    found = words("weekly", equal)
    assert (found.badge, found.tone) == ("equal", "good")
    assert found.text == "version 3 was built again and is equal (12,000 rows)"
    assert links_of("weekly", equal) == [
        ("proof", "/perennial/pages/sales/proof/weekly"),
        ("run", "/dags/prove_sales/runs/weekly"),
    ]
    differs = {"verdict": "different", "differences": ["ONNX bytes: byte 7"]}
    differs["causes"] = ["numpy is 2 and was 1"]
    found = words("weekly", equal.model_copy(update=differs))
    assert (found.badge, found.tone) == ("different", "bad")
    assert found.text.endswith("different: ONNX bytes: byte 7; not as it was: numpy is 2 and was 1")
    assert words("hand__rebuild-3-x", equal).links == []
