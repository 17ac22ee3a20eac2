"""What a replay asks, and who answers: this process, or as many others as there are cores.

Each question is answered once; the answers lie in the replay's own store, under the hash of all
that they follow from.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.die_with_parent import die_with_parent
from pipelines.errors import TryAgain
from pipelines.replay.judging import judge_version
from pipelines.replay.looking import look_back
from pipelines.replay.probing import probe_gain
from pipelines.replay.scoring import judged_rows, score_version
from pipelines.replay.versions import make_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.intervals import Interval
    from pipelines.refs import Value
    from pipelines.replay.batches import Past
    from pipelines.replay.judging import GateName
    from pipelines.replay.scoring import JudgedRows
    from pipelines.replay.versions import Version
    from pipelines.replay.workroom import Workroom
    from pipelines.spec.rules import Cause


@dataclass(frozen=True)
class Make:
    """Which version does a retraining at this moment make?"""

    moment: datetime


@dataclass(frozen=True)
class Judge:
    """May this version take over from the champion?"""

    challenger: Version
    champion: Version
    gate: GateName
    cause: Cause


@dataclass(frozen=True)
class LookBack:
    """What does a look at the window that ends at this moment find, with this champion?"""

    champion: Version
    moment: datetime


@dataclass(frozen=True)
class Probe:
    """What would a retraining gain at this moment, beside this champion?"""

    champion: Version
    moment: datetime


@dataclass(frozen=True)
class Rows:
    """Which rows of this batch have an outcome?"""

    interval: Interval


@dataclass(frozen=True)
class Score:
    """What is this version worth on these rows, by the names of their batches?"""

    version: Version
    rows: tuple[tuple[str, JudgedRows], ...]


Question = Make | Judge | LookBack | Probe | Rows | Score
Asking = Callable[[Sequence[Question]], list[Any]]


def answer(context: Context, past: Past, question: Question) -> Value:
    """Return the answer: a Version, ReplayVerdict, Look, ProbedGain, JudgedRows or Scores."""
    match question:
        case Make(moment):
            return make_version(context, past, moment)
        case Judge(challenger, champion, gate, cause):
            return judge_version(context, past, (challenger, champion), gate, cause)
        case LookBack(champion, moment):
            return look_back(context, past, champion, moment)
        case Probe(champion, moment):
            return probe_gain(context, past, champion, moment)
        case Rows(interval):
            return judged_rows(context, past, interval)
        case Score(version, rows):
            return score_version(context, version, dict(rows))


class Answers:
    """Asks in this process, or in a pool; the same question is asked once."""

    def __init__(
        self, workroom: Workroom, past: Past, pool: ProcessPoolExecutor | None = None
    ) -> None:
        """Answer about a past that was gathered."""
        self._workroom, self._past, self._pool = workroom, past, pool
        self._known: dict[Any, Any] = {}

    def __call__(self, questions: Sequence[Question]) -> list[Any]:
        """Return the answers, in the order of the questions."""
        names = [_name(question) for question in questions]
        new = {n: q for n, q in zip(names, questions, strict=True) if n not in self._known}
        self._known |= dict(zip(new, self._ask(list(new.values())), strict=True))
        return [self._known[name] for name in names]

    def _ask(self, questions: list[Question]) -> list[Any]:
        if self._pool is None:
            return [answer(self._workroom.open(), self._past, q) for q in questions]
        try:
            return list(self._pool.map(_answer_there, questions))
        except BrokenProcessPool as error:
            raise TryAgain(
                "A process of the replay was ended, perhaps for want of memory.",
                remedy="run the same command again: what was computed is kept; --workers 1 needs"
                " less memory.",
            ) from error


def _name(question: Question) -> Any:
    """Return what tells a question from others; versions by their moments."""
    match question:
        case Judge(challenger, champion, gate, cause):
            return (Judge, challenger.moment, champion.moment, gate, cause)
        case LookBack(champion, moment):
            return (LookBack, champion.moment, moment)
        case Probe(champion, moment):
            return (Probe, champion.moment, moment)
        case Score(version):
            return (Score, version.moment)
        case _:
            return question


@contextmanager
def answering(workroom: Workroom, past: Past, workers: int) -> Iterator[Answers]:
    """Yield who answers, in so many processes; with one in this process."""
    if workers == 1:
        yield Answers(workroom, past)
        return
    # Not forked: a copy of a process with threads may stand still for ever.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(workroom, past, os.getpid()),
    )
    try:
        yield Answers(workroom, past, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_THERE: dict[str, Any] = {}
"""What a process of the pool answers about."""


def _begin(workroom: Workroom, past: Past, parent: int) -> None:
    die_with_parent(signal.SIGTERM, parent)
    logging.getLogger("perennial").setLevel(logging.ERROR)
    _THERE.update(workroom=workroom, past=past)


def _answer_there(question: Question) -> Value:
    return answer(_THERE["workroom"].open(), _THERE["past"], question)
