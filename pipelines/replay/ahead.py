"""What is asked for whatever the policies decide: versions, verdicts on them, and their scores.

None of it depends on a moment before, so it is computed side by side.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pipelines.replay.answers import Judge, Make, Rows, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pipelines.intervals import Interval
    from pipelines.replay.answers import Asking, Question
    from pipelines.replay.contenders import Contender
    from pipelines.replay.judging import ReplayVerdict
    from pipelines.replay.scoring import JudgedRows
    from pipelines.replay.versions import Version


def counted_places(contenders: Sequence[Contender], count: int) -> list[int]:
    """Return the places, of `count` batches, before which a version is made whatever happens.

    Before the first batch all begin with one; before the others those retrain that count to it.
    """
    return [p for p in range(count) if not p or any(c.counts_to(p) for c in contenders)]


def make_ahead(intervals: Sequence[Interval], places: Sequence[int], ask: Asking) -> list[Version]:
    """Return the versions made before the batches at these places."""
    return ask([Make(intervals[place].start) for place in places])


def judge_ahead(
    contenders: Sequence[Contender],
    intervals: Sequence[Interval],
    places: Sequence[int],
    ask: Asking,
) -> list[ReplayVerdict]:
    """Return the verdicts that are needed if each challenger made at these places takes over.

    A verdict needs the champion, and so all verdicts before it. Most challengers take over; where
    one does not, the verdict on the next is given anew. Of a gate that asks for a gain most do not.
    """
    questions: list[Question] = []
    for contender in contenders:
        own = [p for p in places if not p or contender.counts_to(p)]
        made = [v for v in ask([Make(intervals[p].start) for p in own]) if v.bundle is not None]
        if contender.gate in {"spec", "not_worse"}:
            gate, cause = contender.gate, contender.cause
            questions += [Judge(new, old, gate, cause) for old, new in pairwise(made)]
    return ask(questions)


def ask_rows(intervals: Sequence[Interval], ask: Asking) -> dict[str, JudgedRows]:
    """Return the rows of each batch that have an outcome, by the batches' names."""
    names = (interval.name for interval in intervals)
    return dict(zip(names, ask([Rows(i) for i in intervals]), strict=True))


def score_versions(
    versions: Iterable[Version],
    intervals: Sequence[Interval],
    rows: dict[str, JudgedRows],
    ask: Asking,
) -> dict[datetime, dict[str, float | None]]:
    """Return the scores of each version on the batches that came after it, by its moment."""
    asked, moments = [], []
    for version in versions:
        later = [
            interval
            for interval in intervals
            if interval.start >= version.moment and rows[interval.name].data is not None
        ]
        asked.append(Score(version, tuple((i.name, rows[i.name]) for i in later)))
        moments.append(version.moment)
    found: list[Any] = ask(asked)
    return {moment: scores.by_batch for moment, scores in zip(moments, found, strict=True)}
