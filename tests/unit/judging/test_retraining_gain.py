"""What a retraining would gain now, by a fit of the champion's own recipe on newer rows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.judging.retraining_gain import measure_gain
from pipelines.ledger import MemoryLedger, RetrainRequest
from pipelines.messages import DecideRequest
from pipelines.steps import decide
from tests.served import trained
from tests.unit.steps.looks import DAY
from tests.worlds import DAYS, FIRST, make_world, visits

END = FIRST + timedelta(days=DAYS)


@pytest.fixture(scope="session")
def judged_once(tmp_path_factory):
    return trained(make_world(tmp_path_factory.mktemp("gain") / "home"), DAY)


@pytest.fixture
def judged(judged_once, tmp_path):
    """A world with a champion whose verdict is kept, before the two days that are new to it."""
    ledger = MemoryLedger()
    [verdict] = judged_once.ports.ledger.entries("sales", "verdict")
    ledger.append("sales", verdict.key, verdict.decision)
    return judged_once.copied(tmp_path / "home", ledger=ledger)


def turn(watched):
    """Let the inputs tell the opposite on the new days."""
    for day in range(DAY, DAYS):
        watched.world.rewrite(day, visits(day, signal=-1.0))


def gain(watched):
    for day in range(DAY, DAYS):
        watched.request(day, run=f"read-{day}")
    return measure_gain(watched.context, watched.ports.ledger.champion("sales"), END)


def test_after_a_change_a_newer_fit_gains_what_can_be_proven(judged):
    turn(judged)
    found = gain(judged)
    assert found.why == ""
    assert found.expected > 0.05
    assert 0 < found.proven < found.expected
    assert 200 < found.rows < 240  # of the last day, but those that wait for their label


def test_where_nothing_has_changed_it_gains_next_to_nothing(judged):
    found = gain(judged)
    assert abs(found.expected) < 0.05
    assert found.proven < 0.01


def test_what_the_champion_has_learnt_from_judges_nothing(judged):
    judged.request(DAY, run="read")
    early = FIRST + timedelta(days=DAY, hours=4)
    found = measure_gain(judged.context, judged.ports.ledger.champion("sales"), early)
    assert found.expected is None
    assert found.why.startswith("too few days are new")


def test_what_cannot_be_told_says_why(judged, judged_once, tmp_path):
    context, end = judged.context, END
    assert measure_gain(context, None, end).why == "no version serves yet"
    bare = judged_once.copied(tmp_path / "bare")
    champion = bare.ports.ledger.champion("sales")
    assert "was not kept" in measure_gain(bare.context, champion, end).why
    judged.world.respec("name: linear", "name: other")
    assert "no candidate linear" in measure_gain(judged.context, champion, end).why


@pytest.mark.parametrize(("cost", "starts"), [(100, True), (10_000_000, False)])
def test_by_value_the_gain_decides_and_a_repeat_asks_no_probe(judged, monkeypatch, cost, starts):
    turn(judged)
    judged.request(DAY, run="read")
    judged.world.respec("  cooldown: 1d\n", "")
    policy = f"retrain: {{by: value, cost: {cost}, cooldown: 1d}}\nalike:"
    judged.world.respec("alike:", policy)
    found = judged.look(DAY + 1)
    choice = decide.run(judged.context, DecideRequest(run="watch", drift=found))
    assert choice.start is starts
    assert "a newer fit gains 0." in choice.why
    requests = judged.ports.ledger.entries("sales", "retrain_request")
    assert [e.read(RetrainRequest).policy for e in requests] == ["value"] * starts
    if starts:
        monkeypatch.setattr("pipelines.judging.retraining_gain.measure_gain", None)
        again = decide.run(judged.context, DecideRequest(run="watch", drift=found))
        assert again.run_id == choice.run_id
        assert again.conf == choice.conf


def test_a_champion_that_cannot_answer_is_no_reason(judged):
    turn(judged)
    for day in range(DAY, DAYS):
        judged.request(day, run=f"read-{day}")
    champion = judged.ports.ledger.champion("sales")
    gone = champion.bundle.model_copy(update={"sha256": "0" * 64})
    lost = champion.model_copy(update={"bundle": gone})
    found = measure_gain(judged.context, lost, END)
    assert (found.expected, found.why) == (None, "the champion cannot answer the newest rows")
