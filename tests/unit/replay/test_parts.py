"""A past in parts: how it is cut, what a part leaves behind, and that no figure follows from it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.errors import Busy, RequestError, TryAgain
from pipelines.intervals import containing
from pipelines.messages import (
    PlanReplayRequest,
    PrepareReplayRequest,
    ReplayPart,
    ReplayRequest,
)
from pipelines.replay import plan_replay, prepare_replay, replay
from pipelines.replay.contenders import ALWAYS, NEVER, schedule, usual
from pipelines.replay.parts import MOST, cut
from pipelines.replay.workroom import Workroom
from pipelines.step_record import XCOM_LIMIT, record_line
from tests.unit.replay.conftest import NOW, day, live
from tests.worlds import as_of

CONF = {"start": as_of(2), "end": as_of(6), "policies": [{"every": 2, "gate": "none"}]}


def plan(world, conf=CONF):
    return plan_replay.run(world.context(), PlanReplayRequest(run="manual__1", now=NOW, conf=conf))


def prepare(world, part, conf=CONF):
    request = PrepareReplayRequest(run="manual__1", now=NOW, conf=conf, part=part)
    return prepare_replay.run(world.context(), request)


def days(count):
    return [containing(day(number), "day") for number in range(count)]


def made(world):
    """What is kept of versions, verdicts and scores, and when each was written."""
    root = (
        Workroom(world.context().spec, world.context().settings).root / "store" / "keys" / "results"
    )
    return {
        path.relative_to(root).as_posix(): path.stat().st_mtime_ns
        for kind in ("replay-version", "replay-verdict", "replay-scores")
        for path in (root / kind).iterdir()
    }


def test_a_past_is_cut_where_versions_are_made_and_nothing_is_left_out():
    parts = cut([NEVER, ALWAYS], days(8))
    assert [(p.start, p.end) for p in parts] == [
        (day(0), day(3)),
        (day(3), day(6)),
        (day(6), day(8)),
    ]
    assert parts[0].name == f"{days(1)[0].name} to {days(3)[2].name}"
    every_third = cut([schedule(3)], days(20))
    assert [part.start for part in every_third] == [day(0), day(9), day(18)]
    assert len(cut([NEVER], days(20))) == 1


def test_a_long_past_has_no_more_parts_than_a_result_can_hold():
    hours = [containing(day(0) + timedelta(hours=n), "hour") for n in range(5_000)]
    parts = cut([ALWAYS], hours)
    assert len(parts) == MOST
    result = plan_replay.PlanReplayResult(batches=len(hours), parts=parts)
    assert len(record_line("plan_replay", result)) < XCOM_LIMIT


@pytest.mark.slow
def test_parts_leave_nothing_to_make_and_the_figures_are_those_of_the_command(lived, tmp_path):
    world = lived.copied(tmp_path / "home")
    Workroom(world.context().spec, world.context().settings).forget()
    planned = plan(world)
    assert (planned.batches, len(planned.parts)) == (4, 2)
    results = [prepare(world, part) for part in reversed(planned.parts)]
    assert [result.versions for result in results] == [1, 3]
    assert all(result.seconds > 0 for result in results)
    before = made(world)
    assert prepare(world, planned.parts[0]) == results[1]
    assert made(world) == before

    request = ReplayRequest(run="manual__1", now=NOW, conf={**CONF, "policies": []})
    found = replay.run(world.context(), request)
    versions = [name for name in made(world) if name.startswith("replay-version")]
    assert {n: t for n, t in made(world).items() if n in before} == before
    assert set(versions) <= set(before)

    fresh = lived.copied(tmp_path / "other")
    span = (day(2), day(6))
    outcome = live(fresh, usual(fresh.context().spec), span=span).outcome
    assert found.means == {policy.name: policy.mean for policy in outcome.policies}
    assert found.retrainings == {p.name: p.retrainings for p in outcome.policies}


def test_a_part_that_holds_nothing_is_refused_with_a_remedy(lived):
    nothing = ReplayPart(name="late", start=day(30), end=day(31))
    with pytest.raises(RequestError, match="holds nothing") as error:
        prepare(lived.world, nothing)
    assert "plan_replay" in error.value.remedy


def test_parts_share_the_folder_and_another_replay_waits(lived):
    workroom = Workroom(lived.world.context().spec, lived.world.context().settings)
    with workroom.share(), workroom.share(), pytest.raises(Busy), workroom.hold():
        pass
    with workroom.hold(), pytest.raises(TryAgain, match="being replayed"):
        prepare(lived.world, ReplayPart(name="x", start=day(2), end=day(3)))


@pytest.mark.parametrize(
    "conf", [{"until": "2024-01-05"}, {"policies": [{"every": 0}]}, {"end": as_of(99)}]
)
def test_a_wrong_conf_ends_the_plan(lived, conf):
    with pytest.raises(RequestError) as error:
        plan(lived.world, conf)
    assert error.value.remedy
