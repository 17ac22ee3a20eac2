"""What a version rests on, what rests on a batch, and how entries are exported."""

from __future__ import annotations

import subprocess
import sys
from uuid import UUID

import pytest

from pipelines.answers.lineage import resting_on
from pipelines.answers.openlineage import run_event
from pipelines.answers.origins import PRUNED, why
from pipelines.answers.predictions import why_prediction, with_predictions
from pipelines.answers.service import NOT_RECORDED
from pipelines.answers.words import say_origin
from pipelines.errors import RequestError
from pipelines.ledger import (
    Approval,
    Features,
    MadeFrom,
    MemoryLedger,
    Override,
    RequestConf,
    RetrainRequest,
    record_step,
)
from pipelines.messages import DriftCause, DriftEffect
from pipelines.store.memory import MemoryStore
from tests.decisions import drift_check, gate_verdict
from tests.unit.answers.records import BUNDLE, END, judged

ABSENT = ("pyarrow", "numpy", "pandas", "sklearn")
"""Packages that the image of Airflow has not."""


def test_a_retry_of_a_step_finds_its_own_entry():
    assert len(judged(MemoryStore()).entries("sales", "training")) == 1


def test_why_names_batches_code_and_seed():
    store = MemoryStore()
    origin = why(judged(store), store, "sales", "1")
    assert (origin.training.seed, origin.training.code, origin.training.lock) == (7, "c", "d" * 64)
    assert (origin.batches[0].use, origin.batches[0].manifest) == ("train", BUNDLE.sha256)
    assert (origin.verdicts[0].verdict, origin.served[0].release) == ("promote", 1)
    assert origin.missing == {"expectations": NOT_RECORDED}


def test_what_was_not_recorded_and_what_was_pruned_say_so():
    store = MemoryStore()
    before = why(judged(store, recorded=False), store, "sales", "1")
    assert set(before.missing) == {"training", "features", "expectations", "batches"}
    pruned = why(judged(store, stored=False), store, "sales", "1")
    assert pruned.missing["batches"] == PRUNED
    for origin, reason in ((before, NOT_RECORDED), (pruned, PRUNED)):
        assert ("batches", reason) in say_origin(origin)


def test_the_check_that_asked_is_told_with_change_cause_and_effect():
    store, ledger = MemoryStore(), MemoryLedger()
    cause = DriftCause(kind="population", evidence=["pages moved"], sureness="likely")
    effect = DriftEffect(follows="matters", words=["the loss rises"])
    ledger.append("sales", "watch", drift_check(run="watch"))
    ledger.append("sales", "watch~2", drift_check(run="watch", cause=cause, effect=effect))
    ledger.append("sales", "other", drift_check(run="other"))
    request = RetrainRequest(
        run_id="run",
        window=drift_check().window,
        reasons=["3 of 4 inputs have drifted"],
        conf=RequestConf(reason="drift"),
        asked_by="watch",
    )
    ledger.append("sales", "000001", request)
    ledger.append("sales", "watch~3", drift_check(run="watch", verdict="alarm"))
    origin = why(judged(store, ledger), store, "sales", "1")
    assert [(c.entry, c.verdict, c.cause) for c in origin.checks] == [(2, "drift", cause)]
    lines = dict(say_origin(origin))
    assert lines["changed"].startswith("drift: 3 of 4 inputs have drifted (entry 2")
    assert lines["cause"] == "Other rows come than in training (likely): pages moved"
    assert lines["effect"] == "It matters: the loss rises"


def test_batches_that_were_left_out_are_told_with_why():
    store = MemoryStore()
    ledger = judged(store, left_out={"2026-01-03T00": "values in another unit"})
    origin = why(ledger, store, "sales", "1")
    said = "the batch 2026-01-03T00, held in quarantine: values in another unit"
    assert ("left out", said) in say_origin(origin)


def test_the_steps_of_another_run_are_not_the_versions():
    store = MemoryStore()
    ledger = judged(store)
    other = Features(run="other", plan=BUNDLE, revision="rev", sha256="b" * 64, rows=99)
    record_step(ledger, "sales", other)
    assert why(ledger, store, "sales", "1").features.rows == 3


def test_who_approved_and_what_it_can_be_made_from_is_told_when_it_is_there():
    store = MemoryStore()
    ledger = judged(store)
    ledger.append("sales", "run", Approval(version="1", approved=True, by="ann", answered_at=END))
    forced = {"refused_by": "run", "reasons": ["too few"]}
    ledger.append("sales", "by", Override(version="1", by="bob", reason="it must", **forced))
    made = MadeFrom(
        commit="a" * 40, lock="", code="c" * 64, perennial="d" * 64, seed=1, recipe=BUNDLE
    )
    verdict = gate_verdict(version="2", made_from=made)
    ledger.append("sales", "second", verdict)
    origin = why(ledger, store, "sales", "1")
    assert [a.said.by for a in origin.answers] == ["ann", "bob"]
    people = [text for name, text in say_origin(origin) if name == "by a person"]
    assert [text.split(" (")[0] for text in people] == [
        "approved by ann",
        "override by bob: it must",
    ]
    again = why(ledger, store, "sales", "2")
    assert again.verdicts[0].made_from == made
    said = f"commit {'a' * 12}, recipe {BUNDLE.sha256[:12]}"
    assert ("made from", said) in say_origin(again)


@pytest.mark.parametrize("version", ["2", "", "\x00", "x" * 9_000, "1' OR '1'='1"])
def test_a_version_that_is_not_there_is_named(version):
    store = MemoryStore()
    with pytest.raises(RequestError, match="knows no version"):
        why(judged(store), store, "sales", version)


def test_lineage_of_a_batch():
    store = MemoryStore()
    for name in (BUNDLE.sha256, "2026-01-01T00"):
        found = resting_on(judged(store), store, "sales", name)
        assert (found.features, found.versions) == (["rev"], ["1"])
        assert [t.release for t in found.served] == [1]
        assert with_predictions(store, found).predictions == {"1": 0}
        assert (found.unknown_plans, found.unrecorded) == (0, [])


def test_a_batch_on_which_nothing_rests_is_named_unless_nobody_can_say():
    store = MemoryStore()
    for other in ("other", "", "\x00", "9" * 9_000):
        with pytest.raises(RequestError, match="rests on a batch"):
            resting_on(judged(store), store, "sales", other)
    pruned = resting_on(judged(store, stored=False), store, "sales", "x")
    assert (pruned.unknown_plans, pruned.versions) == (1, [])
    before = judged(store, stored=False)
    before.append("sales", "old", gate_verdict(version="0"))
    assert resting_on(before, store, "sales", "x").unrecorded == ["0"]


def test_a_request_that_is_not_in_the_log_is_named():
    store = MemoryStore()
    with pytest.raises(RequestError, match="holds no request"):
        why_prediction(judged(store), store, "sales", "nobody")


def test_each_entry_is_a_run_event():
    for entry in judged(MemoryStore()).entries():
        event = run_event(entry)
        assert UUID(event["run"]["runId"])
        assert event["run"]["facets"]["perennial_entry"]["entry"]["hash"] == entry.hash
        assert {"eventTime", "producer", "schemaURL", "job", "run"} <= set(event)


def test_run_events_lead_from_the_plan_to_the_release():
    events = [run_event(entry) for entry in judged(MemoryStore()).entries()]
    made = [tuple(d["name"] for d in [*e["inputs"], *e["outputs"]]) for e in events]
    assert made[1:] == [
        ("sales/features/rev", "sales/run/x"),
        ("sales/run/x", "sales/version/1"),
        ("sales/version/1", "sales/release/1"),
    ]
    assert made[0][0].startswith("sales/plan/")
    assert made[0][1] == "sales/features/rev"


def test_what_airflows_server_answers_by_needs_no_arrow():
    names = ("service", "origins", "lineage", "export", "words")
    program = "import sys\n" + "".join(f"sys.modules[{n!r}] = None\n" for n in ABSENT)
    program += "".join(f"import pipelines.answers.{name}\n" for name in names)
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
