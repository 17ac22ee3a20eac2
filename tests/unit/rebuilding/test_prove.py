"""The step `prove`: what it answers, what the ledger keeps, and when its run fails."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.errors import NotReproduced, RequestError
from pipelines.ledger import GateVerdict, MemoryLedger, Proof
from pipelines.messages import ProveRequest
from pipelines.rebuilding import prove
from pipelines.store.pages import find_page
from pipelines.verdicts import words

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ask(made, run="weekly", **conf):
    return prove.run(made.context, ProveRequest(run=run, now=NOW, conf=conf))


def with_ledger(made, **changes):
    """The same ports, with a ledger of its own, whose verdict says something else."""
    ledger = MemoryLedger()
    verdict = made.ports.ledger.entries("sales", "verdict")[0].read(GateVerdict)
    fields = {**verdict.model_dump(exclude_unset=True), **changes}
    kept = {name: value for name, value in fields.items() if value is not None}
    kept["champion"] = verdict.champion
    ledger.append("sales", "first", GateVerdict.model_validate(kept))
    for entry in made.ports.ledger.entries("sales", "champion"):
        ledger.append("sales", entry.key, entry.decision)
    return made.with_ports(ledger=ledger)


def page_of(made, run="weekly"):
    """The newest page of the run, as text."""
    return find_page(made.ports.store, model="sales", kind="proof", run=run).decode()


def test_a_champion_that_comes_out_equal_is_proven_and_one_that_does_not_is_an_alarm(made):
    equal = with_ledger(made)
    result = ask(equal)
    assert (result.verdict, result.version) == ("equal", "1")
    assert result.rows > 0
    assert "equal" in words.prove(result)[0].text
    proofs = [e.read(Proof) for e in equal.ports.ledger.entries("sales", "proof")]
    assert [(p.version, p.verdict, p.differences) for p in proofs] == [("1", "equal", [])]
    assert "Equal" in page_of(equal)

    verdict = made.ports.ledger.entries("sales", "verdict")[0].read(GateVerdict)
    other = with_ledger(made, metrics={**verdict.metrics, "roc_auc": 0.99})
    with pytest.raises(NotReproduced, match="First difference: bundle: metrics") as error:
        ask(other)
    assert error.value.exit_code == 65
    assert "What serves serves on" in error.value.remedy
    proof = other.ports.ledger.entries("sales", "proof")[0].read(Proof)
    assert (proof.verdict, proof.differences) == ("different", ["bundle: metrics: roc_auc"])
    assert other.ports.ledger.champion("sales").version == "1"
    page = page_of(other)
    assert "A person must look at it. What serves serves on." in page
    assert "metrics: roc_auc" in page
    assert "recorded 0.99" not in page


def test_a_version_of_before_recipes_were_kept_is_skipped_in_words(made):
    old = with_ledger(made, made_from=None)
    result = ask(old)
    assert result.verdict == "skipped"
    assert "cannot be built again" in result.why
    assert "Nothing was proven" in words.prove(result)[0].text
    assert old.ports.ledger.entries("sales", "proof") == []


def test_without_a_champion_there_is_nothing_to_prove(made):
    result = ask(made.with_ports(ledger=MemoryLedger()))
    assert (result.verdict, result.why) == ("skipped", "no version serves yet.")


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"version": "9"}, "has no version '9'"),
        ({"versoin": "1"}, "versoin"),
        ({"version": 1}, "version"),
    ],
)
def test_what_a_trigger_sends_is_checked(made, conf, message):
    with pytest.raises(RequestError, match=message):
        ask(made, **conf)
