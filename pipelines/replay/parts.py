"""A past in parts, which tasks of Airflow compute side by side before it is lived through.

A part leaves what it computed in the replay's own store, where the replay finds it; whether a part
was computed changes no figure.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.messages import ReplayPart
from pipelines.replay.ahead import (
    ask_rows,
    counted_places,
    judge_ahead,
    make_ahead,
    score_versions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.intervals import Interval
    from pipelines.replay.answers import Asking
    from pipelines.replay.contenders import Contender
    from pipelines.replay.judging import ReplayVerdict
    from pipelines.replay.versions import Version

MOST = 16
"""Parts of a past at most."""
_LEAST = 3
"""Versions of a part at least: what a task costs by itself is small beside them."""


def cut(contenders: Sequence[Contender], intervals: Sequence[Interval]) -> list[ReplayPart]:
    """Return the parts of a past, oldest first, each with about as many versions to make."""
    places = counted_places(contenders, len(intervals))
    size = max(_LEAST, ceil(len(places) / MOST))
    groups = [places[begin : begin + size] for begin in range(0, len(places), size)]
    return [
        ReplayPart(
            name=f"{intervals[group[0]].name} to {intervals[group[-1]].name}",
            start=intervals[group[0]].start,
            end=intervals[group[-1]].end,
        )
        for group in groups
    ]


def prepare_part(
    part: ReplayPart,
    contenders: Sequence[Contender],
    intervals: Sequence[Interval],
    ask: Asking,
) -> tuple[list[Version], list[ReplayVerdict]]:
    """Make and score the versions of a part, and judge those whose champions lie in it too.

    Raises RequestError where the part holds no moment at which a version is made.
    """
    places = [
        place
        for place in counted_places(contenders, len(intervals))
        if part.start <= intervals[place].start < part.end
    ]
    if not places:
        raise RequestError(
            f"From {iso(part.start)} to {iso(part.end)} no policy retrains by counting, so that"
            " the part holds nothing.",
            remedy="clear the task plan_replay, which cuts the past anew.",
        )
    made = make_ahead(intervals, places, ask)
    verdicts = judge_ahead(contenders, intervals, places, ask)
    whole = [version for version in made if version.bundle is not None]
    score_versions(whole, intervals, ask_rows(intervals[places[0] :], ask), ask)
    return made, verdicts
