"""The ledger's entries as values: what earlier versions wrote, and what newer ones will."""

from __future__ import annotations

import pytest

from pipelines.errors import Corrupted
from pipelines.ledger import (
    Crown,
    DriftCheck,
    GateVerdict,
    MemoryLedger,
    Outcome,
    Reconciliation,
    ReleaseIntent,
    RetrainRequest,
    UnknownDecision,
)
from pipelines.ledger.entries import KINDS, decision_of
from pipelines.ledger.sql import SqlLedger
from tests import version_0
from tests.decisions import NOTHING, crown, raw
from tests.version_0 import ENTRIES

STEPS = {"ingest", "validation", "features", "training"}
ANSWERED = {"approval", "override", "admission"}
LATER = (
    {"incident", "alert", "schema", "proof", "erasure", "turn", "page_removal"} | ANSWERED | STEPS
)
"""Kinds that version 0 did not know."""
ALL = pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e.seq} {e.kind}")


def newest(kind):
    return [entry for entry in ENTRIES if entry.kind == kind][-1]


class TestWhatTheVersionBeforeWrote:
    def test_it_holds_every_kind(self):
        assert {entry.kind for entry in ENTRIES} == set(KINDS) - LATER

    @ALL
    def test_every_entry_reads_whole(self, entry):
        decision = entry.decision
        assert not isinstance(decision, UnknownDecision)
        assert decision.body() == entry.body

    def test_its_database_opens_and_its_chain_is_whole(self, tmp_path):
        ledger = version_0.write_ledger(tmp_path / "ledger.db")
        assert ledger.verify() == len(ENTRIES)
        assert ledger.entries() == ENTRIES
        assert (ledger.champion("sales").version, ledger.champion("sales").release) == ("2", 2)

    @pytest.mark.parametrize("kind", ["sql", "memory"])
    def test_the_same_decisions_make_the_very_same_chain(self, tmp_path, kind):
        moments = iter([entry.at for entry in ENTRIES])
        ledger = (
            SqlLedger(f"sqlite:///{tmp_path}/ledger.db", now=lambda: next(moments))
            if kind == "sql"
            else MemoryLedger(now=lambda: next(moments))
        )
        for entry in ENTRIES:
            assert ledger.append(entry.model, entry.key, entry.decision) == entry
        assert ledger.verify() == len(ENTRIES)


@pytest.mark.parametrize(
    ("kind", "later"),
    [
        ("verdict", {"incident": "", "started_because": ""}),
        ("release", {"previous": None}),
        ("champion", {"previous": None, "image": None}),
        ("drift", {"run": "", "evidently": None, "inputs": "", "failed": False}),
        ("retrain_request", {"asked_by": ""}),
        ("outcome", {"run": ""}),
    ],
)
def test_an_entry_from_before_a_field_came_reads_with_its_default(kind, later):
    body = {name: value for name, value in newest(kind).body.items() if name not in later}
    entry = decision_of(kind, body)
    assert not isinstance(entry, UnknownDecision)
    assert {name: getattr(entry, name) for name in later} == later
    assert entry.body() == body


@ALL
def test_what_only_a_newer_version_says_is_left_out(entry):
    body = {**entry.body, "later": [1]}
    body = {k: {**v, "later": 1} if k == "window" else v for k, v in body.items()}
    assert decision_of(entry.kind, body) == entry.decision


class TestWhatIsNotKnown:
    @pytest.fixture
    def ledger(self):
        ledger = MemoryLedger()
        ledger.append("sales", "newer", raw("verdict", {"grade": "A", "count": 3}))
        return ledger

    def test_it_stays_as_it_is_in_a_chain_that_is_whole(self, ledger):
        (entry,) = ledger.entries()
        assert (entry.decision.body(), ledger.verify()) == ({"grade": "A", "count": 3}, 1)
        assert entry.summary == "count 3, grade A"

    def test_who_would_decide_by_it_is_told_its_number(self, ledger):
        with pytest.raises(Corrupted, match=r"Entry 1 of the ledger.*a newer Perennial"):
            ledger.entries()[0].read(GateVerdict)

    def test_an_entry_of_another_kind_is_none_of_the_asked_one(self):
        with pytest.raises(Corrupted, match="cannot be read as a ReleaseIntent"):
            newest("champion").read(ReleaseIntent)

    def test_a_champion_that_cannot_be_read_serves_nothing(self, ledger):
        ledger.append("sales", "x", raw("champion", {"version": "1"}))
        with pytest.raises(Corrupted, match="Entry 2 of"):
            ledger.champion("sales")

    @pytest.mark.parametrize(
        "changed",
        [{"kind": "gossip"}, {"verdict": "perhaps"}, {"window": {}}, {"rows": "many"}],
        ids=str,
    )
    def test_another_kind_word_or_shape_is_unknown(self, changed):
        entry = newest("drift")
        kind = changed.pop("kind", "drift")
        assert isinstance(decision_of(kind, {**entry.body, **changed}), UnknownDecision)


def test_an_entry_names_every_run_that_it_speaks_of():
    assert newest("retrain_request").runs >= {
        newest("retrain_request").read(RetrainRequest).run_id,
        newest("retrain_request").read(RetrainRequest).asked_by,
    }
    assert newest("outcome").run == newest("outcome").read(Outcome).run == "second"
    assert newest("drift").run == newest("drift").read(DriftCheck).run


def test_what_was_reconciled_is_a_release_only_where_the_store_had_to_follow():
    assert Reconciliation(reason="the alias named 1").release is None
    release = Reconciliation(reason="back", number=4, version="2", bundle=NOTHING).release
    assert (release.number, release.version) == (4, "2")


def test_only_what_was_given_is_written():
    assert set(crown("1").body()) == {"version", "bundle", "release"}
    assert set(crown("1").model_copy(update={"image": "i"}).body()) == {
        *("version", "bundle", "release", "image")
    }
    assert isinstance(decision_of("champion", crown("1").body()), Crown)
