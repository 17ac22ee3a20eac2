"""`decide` by the policy of the spec, and the incidents that it opens."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from pipelines.incidents import all_incidents, close, open_incidents
from pipelines.ledger import MemoryLedger, Outcome, RetrainRequest, outcomes
from pipelines.ledger.sql import SqlLedger
from pipelines.messages import (
    CloseRequest,
    DecideRequest,
    DriftCause,
    DriftEffect,
    GateResult,
)
from pipelines.refs import canonical
from pipelines.steps import close as close_step
from pipelines.steps import decide
from tests.contracts.processes import await_end, start
from tests.decisions import crown, gate_verdict
from tests.unit.steps.verdicts import Clock, drifted, enter, window

REFUSED = GateResult(
    verdict="refuse",
    reasons=["it is no better"],
    checks=[],
    candidate="linear",
    run_id="r",
    version="2",
    metrics={},
    champion="1",
)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(clock):
    return MemoryLedger(clock)


@pytest.fixture
def decider(world, ports, ledger):
    """Return what decides under a policy, on windows whose verdict is entered first."""

    def under(policy, ledger=ledger):
        world.respec("alike: {span: hour}\n", f"alike: {{span: hour}}\nretrain: {policy}\n")
        if "cooldown" in policy:
            world.respec("  cooldown: 1d\n", "")
        context = world.context(replace(ports, ledger=ledger))

        def on(day, run=None, **found):
            name = run or f"scheduled-{day}"
            result = enter(ledger, name, drifted(day, **found))
            return decide.run(context, DecideRequest(run=name, drift=result))

        return on

    return under


def ended(ledger, day, outcome):
    run = f"drift__sales__{window(day).end:%Y-%m-%dT%H:%M:%SZ}"
    outcomes.record(ledger, "sales", run, Outcome(outcome=outcome, version="", reasons=[]))


def asked(ledger):
    return [e.read(RetrainRequest) for e in ledger.entries("sales", "retrain_request")]


def incidents(ledger, clock):
    return [(i.what, i.seen) for i in open_incidents(ledger, "sales", clock())]


def test_never_is_never(decider, ledger):
    choice = decider("{by: never}")(3)
    assert (choice.start, choice.why) == (False, "the policy is `by: never`")
    assert not ledger.entries("sales", "retrain_held")


@pytest.mark.parametrize(("worse", "starts"), [(True, True), (False, False)])
def test_by_performance_goes_by_what_the_check_has_measured(decider, ports, ledger, worse, starts):
    figures = ports.store.put(canonical({"worse": worse}), ".json")
    choice = decider("{by: performance}")(3, verdict="no_drift", figures=figures)
    assert choice.start is starts
    assert [r.policy for r in asked(ledger)] == ["performance"] * starts
    if starts:
        assert choice.conf["reason"] == "performance: the champion does worse than it promised"


def test_by_performance_an_unknown_one_starts_nothing(decider, ports):
    figures = ports.store.put(canonical({"worse": None}), ".json")
    choice = decider("{by: performance}")(3, live=None, figures=figures)
    assert (choice.start, "cannot be told" in choice.why) == (False, True)


def test_by_schedule_a_window_is_due_and_a_repeat_is_the_same_retraining(decider, ledger):
    on = decider("{by: schedule, schedule: '0 0 */3 * *', cooldown: 0s}")
    first = on(2, verdict="no_drift")
    assert (first.start, first.conf["reason"]) == (
        True,
        "schedule: the schedule 0 0 */3 * * is due",
    )
    assert on(2, verdict="no_drift") == on(2, verdict="drift", run="again")
    ended(ledger, 2, "deployed")
    not_due = on(2.5, verdict="drift")
    assert (not_due.start, "is not due" in not_due.why) == (False, True)
    assert on(5, verdict="not_enough_data").start
    assert not on(8, verdict="alarm").start
    assert [r.policy for r in asked(ledger)] == ["schedule", "schedule"]


def test_by_schedule_a_retraining_by_hand_counts_too(decider, ledger):
    on = decider("{by: schedule, schedule: monthly}")
    hand = gate_verdict(as_of=window(3).end, features_revision="rev")
    ledger.append("sales", "hand__1", hand)
    assert not on(3, verdict="no_drift").start
    assert on(40, verdict="no_drift").start


@pytest.mark.parametrize("policy", ["{by: schedule, schedule: daily}", "{by: value, cost: 0}"])
@pytest.mark.parametrize("verdict", ["drift", "no_drift", "not_enough_data"])
def test_what_may_be_broken_is_not_learnt_from_and_the_ledger_says_so(
    decider, ledger, verdict, policy
):
    sign = DriftCause(kind="broken_upstream", detail="nulls", sureness="likely")
    on = decider(policy)
    choice = on(3, verdict=verdict, cause=sign)
    assert (choice.start, asked(ledger)) == (False, [])
    [held] = ledger.entries("sales", "retrain_held")
    assert held.body["why"] == choice.why
    assert choice.why.startswith("a pipe is broken upstream (likely: values missing)")
    if "schedule" in policy:  # of the value nothing can be told here
        assert on(4, verdict=verdict, cause=DriftCause(kind="population")).start


def test_a_change_from_which_nothing_follows_starts_none(decider, ledger):
    on = decider("{by: change}")
    choice = on(3, effect=DriftEffect(follows="nothing_follows"))
    assert (choice.start, choice.why) == (False, "it has changed, and nothing follows from it")
    assert on(4, effect=DriftEffect(follows="matters")).start


def test_a_budget_and_quiet_hours_hold_a_drift_back_with_the_reason(decider, ledger, clock):
    on = decider("{at_most: 1 per week, quiet_hours: [{end: '12:00', days: [fri]}]}")
    assert on(1).start
    ended(ledger, 1, "deployed")
    assert on(3).why.startswith("budget: at most 1 per week")
    clock.pass_(days=8)  # a Friday
    assert on(5).why.startswith("quiet hours")
    clock.pass_(hours=12)
    assert on(6).start
    held = [e.body["why"].split(":")[0] for e in ledger.entries("sales", "retrain_held")]
    assert held == ["budget", "quiet hours"]


def test_refusals_in_a_row_stop_it_and_are_one_incident(decider, world, ports, ledger, clock):
    on = decider("{stop_after_refused: 2, cooldown: 0s}")
    context = world.context(replace(ports, ledger=ledger))
    for day in (1, 2):
        assert incidents(ledger, clock) == []
        request = CloseRequest(run=on(day).run_id, gate=REFUSED)
        close_step.run(context, request)
        close_step.run(context, request)
        clock.pass_(hours=1)
    assert incidents(ledger, clock) == [("refused", 1)]
    assert on(3).why.startswith("stopped: 2 challengers were refused in a row")
    close(ledger, "sales", 1, by="ann", reason="the labels were late", now=clock())
    assert on(3).start


def test_a_version_that_is_deployed_lets_it_go_on(decider, world, ports, ledger, clock):
    on = decider("{stop_after_refused: 1, cooldown: 0s}")
    context = world.context(replace(ports, ledger=ledger))
    close_step.run(context, CloseRequest(run=on(1).run_id, gate=REFUSED))
    assert on(2).why.startswith("stopped: 1 challenger was refused in a row")
    clock.pass_(hours=1)
    ledger.crown("sales", expected=None, champion=crown("2"), key="by-hand")
    assert on(2).start


def test_a_feed_that_flaps_is_one_incident_and_the_budgets_runs(decider, tmp_path, clock):
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db", clock)
    on = decider("{at_most: 2 per week, cooldown: 0s}", ledger)
    for day in range(24):
        clock.pass_(minutes=10)
        verdict = "alarm" if day % 2 else "drift"
        if on(day, verdict=verdict).start:
            ended(ledger, day, "failed")
    assert len(asked(ledger)) == 2
    assert [(i.number, i.seen, i.state) for i in all_incidents(ledger, "sales", clock())] == [
        (1, 12, "open")
    ]
    steps = [entry.body["event"] for entry in ledger.entries("sales", "incident")]
    assert steps == ["opened", *["closed", "reopened"] * 11]
    ledger.verify()


PROGRAM = """
import os, signal, sys
from pathlib import Path
from pipelines.ledger.sql import SqlLedger
from pipelines.messages import DecideRequest
from pipelines.steps import decide
from tests.unit.steps.verdicts import drifted
from tests.worlds import World

home, when = Path(sys.argv[1]), sys.argv[2]
context = World(home).context()
append = SqlLedger.append

def dying(ledger, model, key, decision):
    if decision.kind != "retrain_request":
        return append(ledger, model, key, decision)
    if when == "after":
        append(ledger, model, key, decision)
    os.kill(os.getpid(), signal.SIGKILL)

SqlLedger.append = dying
decide.run(context, DecideRequest(run="run-3", drift=drifted(3)))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_its_request_it_asks_once(world, when):
    context = world.context()
    ledger = context.ports.ledger
    enter(ledger, "run-3", drifted(3))
    process = start(PROGRAM, world.home, when)
    await_end(process)
    assert process.returncode == -signal.SIGKILL
    again = [decide.run(context, DecideRequest(run="run-3", drift=drifted(3))) for _ in range(2)]
    assert again[0] == again[1]
    assert [r.run_id for r in asked(ledger)] == [again[0].run_id]
    ledger.verify()
