"""A verdict in a replay: what of it follows from the challenger alone is computed once."""

from __future__ import annotations

import pytest

from pipelines.replay.batches import gather
from pipelines.replay.judging import judge_version
from pipelines.replay.versions import make_version
from pipelines.replay.workroom import Workroom
from tests.unit.replay.conftest import DAYS, day


def opened(world):
    """The replay's own context of a world, its past, and where renewals are kept."""
    context = world.context()
    workroom = Workroom(context.spec, context.settings)
    own = workroom.open()
    kept = workroom.root / "store" / "keys" / "results" / "replay-renewal"
    return own, gather(own, day(2), day(DAYS)), kept


def judge(context, past, champion, challenger=7):
    versions = tuple(make_version(context, past, day(n)) for n in (challenger, champion))
    return judge_version(context, past, versions, "not_worse", "schedule")


def renewals(kept):
    return {path.name: path.read_bytes() for path in kept.iterdir()} if kept.is_dir() else {}


@pytest.mark.slow
def test_a_recipe_is_fitted_again_once_whoever_the_champion_is(lived, tmp_path):
    context, past, kept = opened(lived.copied(tmp_path / "first"))
    before = renewals(kept)
    judge(context, past, champion=2)
    first = renewals(kept)
    assert len(first) == len(before) + 1
    second = judge(context, past, champion=4)
    assert renewals(kept) == first

    alone, past, kept = opened(lived.copied(tmp_path / "other"))
    expected = judge(alone, past, champion=4)
    assert len(renewals(kept)) == len(before) + 1
    assert second.reasons == expected.reasons
    assert second.is_promoted == expected.is_promoted
