"""What a policy decides on a window: what starts a retraining, and what holds one back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.science.policy import (
    PastRequest,
    Situation,
    decide_retraining,
    refused_in_a_row,
    rows_that_pay,
    why_held,
    wish_for_retraining,
)
from pipelines.spec.retrain import Retrain

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def policy(**said):
    return Retrain.model_validate({"cooldown": "1d", **said})


def at(day, verdict="drift", **more):
    """The window that ends with a day, looked at when it ends."""
    moment = MONDAY + day * DAY
    return Situation(**{"moment": moment, "window_end": moment, "verdict": verdict, **more})


def asked(day, ended="deployed", **more):
    moment = MONDAY + day * DAY
    return PastRequest(
        **{"run_id": f"r{day}", "moment": moment, "window_end": moment, "ended": ended, **more}
    )


ALL = [
    {"by": "never"},
    {"by": "schedule", "schedule": "daily"},
    {"by": "change"},
    {"by": "performance"},
    {"by": "value", "cost": 0},
]


@pytest.mark.parametrize("said", ALL)
def test_what_is_broken_never_starts_a_retraining(said):
    broken = at(9, "alarm", worse=True, gain=9, gain_proven=9, rows=10**6)
    choice = decide_retraining(policy(**said), broken)
    assert not choice.start
    assert not choice.held
    assert "broken" in choice.why


@pytest.mark.parametrize("said", ALL[1:])
def test_everything_else_starts_one_where_there_is_every_reason(said):
    reason = at(9, worse=True, gain=9, gain_proven=9, rows=10**6)
    assert decide_retraining(policy(**said), reason).start
    assert not decide_retraining(policy(by="never"), reason).start


@pytest.mark.parametrize("verdict", ["no_drift", "not_enough_data"])
def test_by_change_only_a_drift_starts_one(verdict):
    assert not decide_retraining(policy(), at(9, verdict)).start
    assert decide_retraining(policy(), at(9)).why == (
        "the window until 2024-01-10T00:00:00Z has drifted"
    )


def test_a_change_of_which_nothing_follows_starts_none_and_says_so():
    choice = decide_retraining(policy(), at(9, follows="nothing_follows"))
    assert (choice.start, choice.why) == (False, "it has changed, and nothing follows from it")
    for follows in ("matters", "cannot_be_said"):
        assert decide_retraining(policy(), at(9, follows=follows)).start


@pytest.mark.parametrize("said", ALL[1:])
@pytest.mark.parametrize("verdict", ["drift", "no_drift", "not_enough_data"])
def test_what_may_be_broken_is_learnt_from_under_no_policy_and_is_told(said, verdict):
    sign = "a pipe is broken upstream (likely: values missing)"
    seen = at(9, verdict, broken=sign, worse=True, gain=9, gain_proven=9, rows=10**6)
    choice = decide_retraining(policy(**said), seen)
    assert not choice.start
    assert why_held(policy(**said), seen).startswith(f"{sign}: what may be broken")


@pytest.mark.parametrize(("worse", "starts"), [(True, True), (False, False), (None, False)])
def test_by_performance_what_counts_is_how_the_champion_does(worse, starts):
    by = policy(by="performance")
    assert decide_retraining(by, at(9, "no_drift", worse=worse)).start is starts
    assert decide_retraining(by, at(9, "drift", worse=worse)).start is starts


@pytest.mark.parametrize(
    ("learnt", "starts"),
    [(None, True), (MONDAY, True), (MONDAY + 31 * DAY, False), (MONDAY + 30 * DAY, True)],
)
def test_by_schedule_a_window_is_due_once_the_clock_has_struck(learnt, starts):
    by = policy(by="schedule", schedule="monthly")
    choice = wish_for_retraining(by, at(31, "no_drift", learnt_until=learnt))
    assert choice.start is starts
    assert "monthly" in choice.why


def test_by_schedule_every_window_is_one_whose_end_is_a_strike():
    by = policy(by="schedule", schedule="daily")
    past = []
    for day in range(3, 8):
        learnt = max((r.window_end for r in past), default=None)
        assert decide_retraining(by, at(day, "no_drift", past=past, learnt_until=learnt)).start
        past.append(asked(day))


def test_by_value_a_gain_must_be_worth_more_than_a_retraining_costs():
    by = policy(by="value", cost=100, pays_within="10d")
    month = {"rows": 50, "length": 5 * DAY}
    assert rows_that_pay(by, at(9, **month)) == 100
    assert decide_retraining(by, at(9, "no_drift", gain=1.01, **month)).start
    cheap = decide_retraining(by, at(9, gain=1.0, **month))
    assert not cheap.start
    assert cheap.why == (
        "a newer fit gains 1 per row (expected), and for 100 rows to come that is 100, no more than"
        " a retraining costs (100)"
    )


def test_by_value_the_proven_gain_counts_where_the_spec_says_so():
    seen = at(9, gain=5.0, gain_proven=-0.1, rows=1000)
    assert decide_retraining(policy(by="value", cost=1), seen).start
    assert not decide_retraining(policy(by="value", cost=1, gain="proven"), seen).start


def test_by_value_an_unknown_gain_starts_none_and_says_why():
    choice = decide_retraining(policy(by="value", cost=0), at(9, no_gain="no row has a label"))
    assert not choice.start
    assert choice.why.endswith("no row has a label")


def test_while_one_is_open_no_other_starts_and_a_day_later_it_is_lost():
    past = [asked(3, ended=None)]
    assert "has not ended yet" in why_held(
        policy(), at(3.5, past=past, window_end=MONDAY + 9 * DAY)
    )
    assert not why_held(policy(), at(4, past=past))


def test_a_cooldown_counts_between_the_ends_of_windows():
    past = [asked(3)]
    assert why_held(policy(cooldown="3d"), at(5, past=past)).startswith("cooldown: ")
    assert not why_held(policy(cooldown="3d"), at(6, past=past))


def test_an_earlier_window_than_the_last_that_asked_starts_none():
    held = decide_retraining(policy(), at(2, past=[asked(3)], moment=MONDAY + 90 * DAY))
    assert held.held
    assert "later window" in held.why


def test_a_budget_counts_any_span_of_its_length():
    by = policy(at_most="2 per week")
    past = [asked(1), asked(3)]
    assert why_held(by, at(7, past=past)) == "budget: at most 2 per week may start, and 2 did"
    assert not why_held(by, at(8, past=past))


@pytest.mark.parametrize(
    ("ends", "stopped"),
    [
        (["refused", "refused", "refused"], True),
        (["refused", "refused", "deployed"], False),
        (["refused", "deployed", "refused", "refused"], False),
        (["refused", "refused", "failed", "refused"], True),
        (["refused", "refused", None], False),
    ],
)
def test_refused_challengers_in_a_row_stop_it(ends, stopped):
    by = policy(stop_after_refused=3)
    past = [asked(day, ended) for day, ended in enumerate(ends)]
    assert bool(why_held(by, at(20, past=past))) is stopped


def test_what_has_stopped_tries_again_later_and_stops_anew():
    by = policy(stop_after_refused=2, stop_for="10d")
    past = [asked(1, "refused"), asked(2, "refused")]
    assert why_held(by, at(11, past=past)).startswith("stopped: 2 challengers were refused")
    assert not why_held(by, at(12, past=past))
    assert why_held(by, at(14, past=[*past, asked(12, "refused")])).startswith("stopped: 3 ")


def test_refusals_are_forgiven_once_somebody_has_looked():
    past = [asked(1, "refused"), asked(2, "refused")]
    since = at(5, past=past, forgiven=MONDAY + 3 * DAY)
    assert refused_in_a_row(since) == []
    assert not why_held(policy(stop_after_refused=2), since)


def test_quiet_hours_hold_one_back():
    by = policy(quiet_hours=[{"start": "22:00", "end": "06:00", "days": ["mon"]}])
    assert why_held(by, at(23 / 24)).startswith("quiet hours: 22:00 to 06:00 (mon), UTC")
    assert why_held(by, at(1 + 5 / 24))
    assert not why_held(by, at(1 + 6 / 24))
    assert not why_held(by, at(1 + 23 / 24))


def test_a_thousand_drifts_start_what_the_budget_allows():
    by = policy(cooldown="0s", at_most="2 per week")
    past = []
    for hour in range(1000):
        if decide_retraining(by, at(hour / 24, past=past)).start:
            past.append(asked(hour / 24))
    assert len(past) == 2 * 6
