"""A past lived through from end to end: what it says, what it costs, and what it leaves behind."""

from __future__ import annotations

import pytest

from pipelines.errors import Busy, RequestError
from pipelines.replay.contenders import ALWAYS, NEVER, parse_policy, schedule
from pipelines.replay.replaying import Manner
from pipelines.replay.workroom import Workroom, forget_replays
from tests.unit.replay.conftest import DAYS, TURNS, day, live

FIRST = 2
"""The first day before which the model can be trained."""


def policy(found, name):
    return next(each for each in found.outcome.policies if each.name == name)


def kept(world):
    """The names of all results that the replay keeps."""
    folder = world.settings.state / "replays" / "sales" / "store" / "keys"
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def made(world):
    """When each version was made that the replay keeps, by its key."""
    folder = world.settings.state / "replays" / "sales" / "store" / "keys"
    files = [*folder.glob("results/replay-version/*"), *folder.glob("results/replay-verdict/*")]
    assert files
    return {path.name: path.stat().st_mtime_ns for path in files}


def test_each_policy_is_scored_on_each_batch_by_what_serves_then(lived):
    outcome = lived.found.outcome
    assert [i.start for i in outcome.intervals] == [day(n) for n in range(FIRST, DAYS)]
    never, always = policy(lived.found, NEVER.name), policy(lived.found, ALWAYS.name)
    assert (never.retrainings, always.retrainings) == (0, DAYS - FIRST - 1)
    assert {batch.served for batch in never.batches} == {day(FIRST)}
    assert [batch.served for batch in always.batches] == [i.start for i in outcome.intervals]
    assert never.batches[0].score == always.batches[0].score
    before, after = never.batches[0].score, never.batches[TURNS - FIRST].score
    assert before > 0.9
    assert after < 0.2  # the inputs tell the opposite by then
    assert always.batches[-1].score > 0.8
    assert always.mean > never.mean


def test_where_nobody_looked_nobody_knows_how_many_alarms_there_were(lived):
    assert [each.alarms for each in lived.found.outcome.policies] == [None] * 4
    assert '"alarms":null' in lived.found.outcome.model_dump_json()


def test_regret_is_against_the_best_that_could_have_served(lived):
    for each in lived.found.outcome.policies:
        assert all(batch.regret >= 0 for batch in each.batches)
        assert each.in_hindsight >= each.mean  # roc_auc: the greater the better
    always = policy(lived.found, ALWAYS.name)
    assert always.regret < policy(lived.found, NEVER.name).regret


def test_a_gate_refuses_and_says_why(lived):
    better = policy(lived.found, "the gate, only better")
    refused = [batch for batch in better.batches if batch.refused]
    assert better.refusals == len(refused) > 0
    assert better.retrainings == DAYS - FIRST - 1
    assert all(batch.retrained and batch.served < day(DAYS) for batch in refused)
    assert policy(lived.found, ALWAYS.name).refusals == 0


def test_too_few_batches_recommend_nothing(lived):
    advice = lived.found.outcome.advice
    assert advice.name == ""
    assert "7 batches are too few" in advice.why


def test_again_nothing_is_computed_and_another_policy_shares_each_version(lived, tmp_path):
    world = lived.copied(tmp_path / "home")
    before = made(world)
    assert live(world) == lived.found
    assert made(world) == before
    found = live(world, (NEVER, ALWAYS, schedule(2, "none")))
    assert made(world) == before
    assert policy(found, "every 2 batches, no gate").retrainings == 3
    assert policy(found, ALWAYS.name) == policy(lived.found, ALWAYS.name)


class Killed(BaseException):
    """What a kill is to the replay: nothing catches it."""


@pytest.mark.slow
def test_a_killed_replay_goes_on_and_a_fresh_one_comes_out_the_same(lived, tmp_path):
    world = lived.copied(tmp_path / "home")
    span = (None, day(5))
    expected = live(world, (NEVER, ALWAYS), span=span)

    def kill(text):
        if "scoring" in text:
            raise Killed

    with pytest.raises(Killed):
        live(world, (NEVER, ALWAYS), span=span, manner=Manner(workers=1, fresh=True), say=kill)
    kept = made(world)
    again = live(world, (NEVER, ALWAYS), span=span)
    assert made(world) == kept
    assert again.outcome == expected.outcome


@pytest.mark.slow
def test_policies_that_go_by_windows_look_and_probe_as_live_ones_do(lived, tmp_path):
    world = lived.copied(tmp_path / "home")
    spec = world.context().spec
    contenders = [
        parse_policy({"retrain": {"by": by, **more}}, spec, name=by, place="a test")
        for by, more in (("change", {}), ("value", {"cost": 0, "cooldown": "0d"}))
    ]
    found = live(world, contenders, span=(None, day(5)))
    change, value = found.outcome.policies
    assert change.batches[0].verdict == ""
    assert {batch.verdict for batch in change.batches[1:]} <= {"drift", "no_drift"}
    assert all(batch.why for batch in value.batches)
    assert any("a newer fit gains" in batch.why for batch in value.batches[1:])
    assert "results/replay-gain" in " ".join(kept(world))


def test_what_is_kept_can_be_forgotten_but_not_under_a_replay_at_work(lived, tmp_path):
    world = lived.copied(tmp_path / "home")
    context = world.context()
    with (
        Workroom(context.spec, context.settings).hold(),
        pytest.raises(Busy, match="sales is being replayed"),
    ):
        forget_replays(world.settings)
    assert kept(world)
    forget_replays(world.settings)
    assert kept(world) == []


def test_the_real_state_is_not_touched_and_the_folder_is_its_owners_alone(lived):
    state = lived.world.settings.state
    assert {path.name for path in state.iterdir()} == {"replays", "environments", "cache"}
    assert (state / "replays" / "sales").stat().st_mode & 0o777 == 0o700


def test_one_replay_of_a_model_is_at_work_at_a_time(lived):
    context = lived.world.context()
    with (
        Workroom(context.spec, context.settings).hold(),
        pytest.raises(Busy, match="sales is being replayed already"),
    ):
        live(lived.world)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ((day(1), None), "leaves nothing to live through"),
        ((day(40), None), "leaves nothing to live through"),
        ((None, day(40)), "lies after the newest complete batch"),
        ((None, day(1)), "needs one more to live through"),
    ],
)
def test_a_span_without_a_past_is_refused(lived, span, words):
    with pytest.raises(RequestError, match=words) as error:
        live(lived.world, span=span)
    assert error.value.remedy


def test_what_cannot_be_replayed_is_refused(lived):
    with pytest.raises(RequestError, match="Two policies are called"):
        live(lived.world, (NEVER, NEVER))
