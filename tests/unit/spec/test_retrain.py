"""What a spec may say of retraining."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import SpecError
from pipelines.spec import Spec, parse_spec
from pipelines.spec.retrain import Retrain
from tests.snapshots import SPEC as SNAPSHOT
from tests.unit.steps.learning import spec_text

DRIFT = "drift: {schedule: daily}"


def spec(retrain="", drift=DRIFT, **more):
    return parse_spec((spec_text(**more) + f"{drift}\n{retrain}\n").encode(), "visits")


def test_without_a_policy_a_drift_starts_a_retraining_and_the_cooldown_is_that_of_drift():
    old = spec(drift="drift: {schedule: daily, cooldown: 3d}")
    assert (old.retrain, old.policy.by, old.policy.cooldown) == (None, "change", timedelta(days=3))
    assert spec().policy.cooldown == timedelta(days=7)
    by_default = spec().drift
    days = [by_default.cooldown_of(batch).days for batch in ("hour", "day", "week", "month", None)]
    assert days == [7, 7, 21, 87, 7]
    assert (old.policy.at_most, old.policy.stop_after_refused, old.policy.quiet_hours) == (
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    "text",
    [
        "{by: never}",
        "{by: change, cooldown: 2d}",
        "{by: performance, at_most: 2 per week, stop_after_refused: 3, stop_for: 14d}",
        "{by: schedule, schedule: monthly}",
        "{by: value, cost: 10, gain: proven, pays_within: 7d}",
        '{quiet_hours: [{start: "22:00", days: [sat, sun], timezone: Europe/Berlin}]}',
    ],
)
def test_what_makes_sense_is_taken_and_reads_again(text):
    taken = spec(f"retrain: {text}")
    again = Spec.model_validate(taken.model_dump(mode="json", exclude_unset=True, by_alias=True))
    assert again.retrain == taken.retrain
    assert Retrain.model_validate(taken.retrain.model_dump(mode="json")) == taken.retrain


def test_a_cooldown_is_said_in_one_place():
    assert spec("retrain: {cooldown: 2d}").policy.cooldown == timedelta(days=2)
    with pytest.raises(SpecError, match=r"remove `drift\.cooldown`"):
        spec("retrain: {cooldown: 2d}", drift="drift: {schedule: daily, cooldown: 3d}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("change", "keys and values"),
        ("{by: often}", "by"),
        ("{by: schedule}", "needs one, such as `schedule: monthly`"),
        ("{by: value}", "needs what a retraining costs"),
        ("{by: change, schedule: monthly}", "belongs to `by: schedule`"),
        ("{by: change, cost: 3}", "belongs to `by: value`"),
        ("{by: value, cost: -1}", "cost"),
        ("{by: value, cost: .inf}", "cost"),
        ("{by: value, cost: 1, pays_within: 0s}", "longer than nothing"),
        ("{at_most: 2}", "`2 per week`"),
        ("{at_most: 0 per week}", "`2 per week`"),
        ("{at_most: 2 per fortnight}", "`2 per week`"),
        ("{stop_after_refused: 0}", "at least 1"),
        ("{quiet_hours: [{start: 22:00}]}", "in quotes"),
        ('{quiet_hours: [{start: "25:00"}]}', "start"),
        ("{quiet_hours: [{days: [monday]}]}", "days"),
        ("{quiet_hours: [{days: [sat], timezone: Mars}]}", "timezone"),
        ("{quiet_hours: [{}]}", "in these hours only"),
        ("{budget: 3}", "unknown key"),
    ],
)
def test_what_makes_none_is_refused(text, said):
    with pytest.raises(SpecError, match="retrain") as refused:
        spec(f"retrain: {text}")
    assert said in str(refused.value)


def test_a_policy_needs_somebody_who_looks_at_windows():
    with pytest.raises(SpecError, match="nobody looks at windows"):
        spec("retrain: {by: change}", drift="")


def test_by_value_data_without_time_have_no_probe():
    with pytest.raises(SpecError, match="no probe can be made: the rows of a snapshot"):
        parse_spec((SNAPSHOT + "retrain: {by: value, cost: 1}\n").encode(), "loans")


def test_two_clocks_are_one_too_many():
    text = spec_text().replace("train: {", "train: {schedule: weekly, ")
    assert "schedule: weekly" in text
    with pytest.raises(SpecError, match="two clocks"):
        parse_spec(
            f"{text}{DRIFT}\nretrain: {{by: schedule, schedule: monthly}}\n".encode(), "visits"
        )


@pytest.mark.parametrize(
    ("since", "until", "due"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 31, tzinfo=UTC), False),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), True),
        (datetime(2024, 1, 31, 23, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), True),
        (None, datetime(2024, 1, 2, tzinfo=UTC), True),
    ],
)
def test_the_clock_strikes_after_the_one_and_by_the_other(since, until, due):
    assert Retrain(by="schedule", schedule="monthly").is_due(since, until) is due
    assert Retrain(by="schedule", schedule="0 0 1 * *").is_due(since, until) is due
    assert Retrain().is_due(since, until) is False


def test_quiet_hours_are_of_the_day_on_which_they_begin_in_their_zone():
    night = {"start": "22:00", "end": "06:00", "days": ["sat"], "timezone": "Europe/Berlin"}
    [hours] = Retrain.model_validate({"quiet_hours": [night]}).quiet_hours
    sunday = datetime(2024, 7, 7, tzinfo=UTC)
    assert [hours.hold(sunday + timedelta(hours=h)) for h in (-5, -4, 3, 4, 20)] == [
        False,
        True,
        True,
        False,
        False,
    ]
