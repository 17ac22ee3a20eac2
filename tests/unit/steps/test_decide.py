"""`decide`: one retraining per window, one open at a time, a cooldown, and nothing of it undone by
repeats, kills or company."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pipelines.errors import RequestError
from pipelines.ledger import (
    MemoryLedger,
    Outcome,
    RetrainHold,
    RetrainRequest,
    Turn,
    outcomes,
)
from pipelines.ledger.sql import SqlLedger
from pipelines.messages import DecideRequest
from pipelines.refs import canonical
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import decide
from pipelines.trigger_conf import RetrainConf
from pipelines.watch.retrain_requests import find_open_request
from tests import version_0
from tests.contracts.processes import finish, start
from tests.unit.steps.verdicts import Clock, drifted, enter

DEPLOYED = Outcome(outcome="deployed", version="2", reasons=[])
RUN_OF_3 = "drift__sales__2024-01-05T00:00:00Z"
"""The day 3 is 2024-01-04; its window ends with it."""


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(clock):
    return MemoryLedger(clock)


@pytest.fixture
def decided(world, ports, ledger):
    """Decide on a window whose verdict is entered first.

    Without a run's name, the day's own run.
    """
    context = world.context(replace(ports, ledger=ledger))

    def on(day, run=None, **found):
        run = run or f"scheduled-{day}"
        return decide.run(
            context, DecideRequest(run=run, drift=enter(ledger, run, drifted(day, **found)))
        )

    return on


def ended(ledger, day, outcome=DEPLOYED):
    outcomes.record(ledger, "sales", f"drift__sales__2024-01-{day + 2:02d}T00:00:00Z", outcome)


def requests(ledger):
    return [
        (e.key, e.read(RetrainRequest).run_id) for e in ledger.entries("sales", "retrain_request")
    ]


def held(ledger):
    entries = ledger.entries("sales", "retrain_held")
    assert all(set(entry.body) in version_0.fields("retrain_held") for entry in entries)
    return [(hold.run, hold.why) for hold in (entry.read(RetrainHold) for entry in entries)]


def test_a_drift_starts_a_retraining_as_of_the_windows_end(decided, ledger):
    decision = decided(3)
    assert (decision.start, decision.run_id) == (True, RUN_OF_3)
    assert decision.conf == {
        "as_of": "2024-01-05T00:00:00Z",
        "reason": "drift: the channel is another one",
    }
    assert RetrainConf.model_validate(decision.conf)
    assert requests(ledger) == [("000001", RUN_OF_3)]
    [entry] = ledger.entries("sales", "retrain_request")
    request = entry.read(RetrainRequest)
    assert (request.asked_by, request.reasons) == ("scheduled-3", ["the channel is another one"])
    assert set(entry.body) in version_0.fields("retrain_request")


@pytest.mark.parametrize("verdict", ["no_drift", "alarm", "not_enough_data"])
def test_no_other_verdict_starts_anything(decided, ledger, verdict):
    decision = decided(3, verdict=verdict)
    assert (decision.start, decision.run_id, decision.conf) == (False, "", {})
    assert decision.why
    assert requests(ledger) == held(ledger) == []


def test_killed_between_decision_and_start_decide_says_the_same_again(decided, ledger):
    assert decided(3) == decided(3)
    assert len(requests(ledger)) == 1


def test_the_window_looked_at_by_another_run_is_the_same_retraining(decided, ledger, clock):
    first = decided(3)
    ended(ledger, 3)
    clock.pass_(days=40)
    again = decided(3, run="by-hand", reasons=["other words"])
    assert again == first
    assert len(requests(ledger)) == 1


def test_while_one_is_open_no_other_window_starts_one(decided, ledger, clock):
    decided(3)
    clock.pass_(hours=2)
    decision = decided(5)
    assert not decision.start
    assert RUN_OF_3 in decision.why
    assert "has not ended yet" in decision.why
    assert held(ledger) == [("scheduled-5", decision.why)]
    assert decided(5) == decision
    assert len(held(ledger)) == len(requests(ledger)) == 1


def test_what_was_held_starts_when_it_is_decided_again_after_the_other_one_ended(decided, ledger):
    decided(3)
    assert not decided(5).start
    ended(ledger, 3)
    assert decided(5).start
    assert [key for key, _ in requests(ledger)] == ["000001", "000002"]


@pytest.mark.parametrize("outcome", ["deployed", "refused", "failed"])
def test_however_a_retraining_ended_it_is_not_open_any_more(decided, ledger, outcome):
    decided(3)
    ended(ledger, 3, Outcome(outcome=outcome, version="", reasons=[]))
    assert decided(5).start


@pytest.mark.parametrize(("hours", "starts"), [(23, False), (24, True), (500, True)])
def test_a_request_of_which_nothing_was_heard_for_a_day_is_lost(
    decided, ledger, clock, hours, starts
):
    decided(3)
    clock.pass_(hours=hours)
    assert decided(5).start is starts
    assert len(requests(ledger)) == 1 + starts


def test_the_cooldown_counts_between_the_ends_of_windows(world, ports, ledger, clock):
    world.respec("cooldown: 1d", "cooldown: 3d")
    context = world.context(replace(ports, ledger=ledger))

    def on(day):
        found = enter(ledger, f"run-{day}", drifted(day))
        return decide.run(context, DecideRequest(run=f"run-{day}", drift=found))

    assert on(1).start
    ended(ledger, 1)
    clock.pass_(days=400)
    early = on(3)
    assert not early.start
    assert early.why.startswith("cooldown: ")
    assert "3 days" in early.why
    assert on(4).start


def test_a_window_before_the_last_one_that_asked_starts_nothing(decided, ledger, clock):
    decided(5)
    ended(ledger, 5)
    clock.pass_(days=400)
    decision = decided(3)
    assert not decision.start
    assert "later window" in decision.why


def test_many_reasons_fit_into_what_a_trigger_may_send(decided):
    decision = decided(
        3, reasons=[f"the input number {i} has drifted far from where it was" for i in range(60)]
    )
    assert len(decision.conf["reason"]) == 500
    assert RetrainConf.model_validate(decision.conf)
    assert len(canonical(decision)) < XCOM_LIMIT


def test_a_verdict_that_the_ledger_does_not_hold_decides_nothing(world, ports, ledger):
    context = world.context(replace(ports, ledger=ledger))
    with pytest.raises(RequestError, match="holds no verdict 'drift' of the run forged"):
        decide.run(context, DecideRequest(run="forged", drift=drifted(3)))
    enter(ledger, "honest", drifted(3, verdict="alarm"))
    with pytest.raises(RequestError, match="holds no verdict"):
        decide.run(context, DecideRequest(run="honest", drift=drifted(3)))
    assert requests(ledger) == []


def test_two_windows_at_once_in_threads_start_one(world, ports, tmp_path):
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    context = world.context(replace(ports, ledger=ledger))
    for day in (2, 3, 4, 5):
        enter(ledger, f"run-{day}", drifted(day))
    asked = [DecideRequest(run=f"run-{day}", drift=drifted(day)) for day in (2, 3, 4, 5)]
    with ThreadPoolExecutor(8) as pool:
        decisions = list(pool.map(lambda request: decide.run(context, request), asked * 2))
    assert len(requests(ledger)) == 1
    assert {f.run_id for f in decisions if f.start} == {requests(ledger)[0][1]}
    assert sum(f.start for f in decisions) == 2
    ledger.verify()


PROGRAM = """
import sys
from pathlib import Path
from pipelines.steps import decide
from pipelines.messages import DecideRequest
from tests.unit.steps.verdicts import drifted
from tests.worlds import World

home, go, day = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
context = World(home).context()
context.ports.ledger.entries("sales")
print("ready", flush=True)
while not go.exists():
    pass
print(decide.run(context, DecideRequest(run=f"run-{day}", drift=drifted(day))).start)
"""


def test_two_windows_at_once_in_two_processes_start_one(world, tmp_path):
    ledger = world.context().ports.ledger
    for day in (3, 4):
        enter(ledger, f"run-{day}", drifted(day))
    go = tmp_path / "go"
    running = [start(PROGRAM, world.home, go, day) for day in (3, 4)]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    go.touch()
    assert sorted(line.strip() for line in finish(*running)) == ["False", "True"]
    assert len(requests(ledger)) == 1
    assert len(held(ledger)) == 1
    ledger.verify()


def test_a_retraining_that_the_fleet_declined_holds_no_later_one_back(decided, ledger):
    assert decided(3).start
    for event in ("waits", "declined"):
        ledger.append("sales", f"{RUN_OF_3}:1:{event}", Turn(run=RUN_OF_3, event=event))
    assert find_open_request(ledger, "sales", ledger.entries()[-1].at) is None
    assert decided(4).start, "neither open nor cooling"
    assert len(requests(ledger)) == 2
