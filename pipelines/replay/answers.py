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
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.die_with_parent import die_with_parent
from pipelines.errors import TryAgain
from pipelines.intervals import iso
from pipelines.refs import canonical
from pipelines.replay.batches import Past
from pipelines.replay.checking import check_batch
from pipelines.replay.judging import judge_version
from pipelines.replay.looking import look_back
from pipelines.replay.probing import probe_gain
from pipelines.replay.scoring import judged_rows, score_version
from pipelines.replay.versions import make_version
from pipelines.training.threads import announce_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef
    from pipelines.intervals import Interval
    from pipelines.refs import Ref, Value
    from pipelines.replay.judging import GateName
    from pipelines.replay.scoring import JudgedRows
    from pipelines.replay.versions import Version
    from pipelines.replay.workroom import Workroom
    from pipelines.spec.rules import Cause


@dataclass(frozen=True)
class Check:
    """What is wrong with this batch?"""

    batch: BatchRef


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


_SAID_AFTER = 4
"""Versions after which it is said how far the replay is."""

AboutPast = Make | Judge | LookBack | Probe | Rows | Score
Question = Check | AboutPast
Asking = Callable[[Sequence[Question]], list[Any]]


def answer(context: Context, past: Past | None, question: Question) -> Value:
    """Return the answer: a Version, ReplayVerdict, Look, ProbedGain, JudgedRows, Scores or Checked.

    Only a batch is checked while the past is not known yet (None).
    """
    if isinstance(question, Check):
        return check_batch(context, question.batch)
    assert past is not None  # noqa: S101 -- whoever asks about it has gathered it
    return _answer_about(context, past, question)


def _answer_about(context: Context, past: Past, question: AboutPast) -> Value:
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
    """Asks in this process, or in a pool; the same question is asked once.

    It says how far it is where several versions are asked for.
    """

    def __init__(
        self,
        workroom: Workroom,
        pool: ProcessPoolExecutor | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Answer in a folder; what lies in it is told by `tell_past`."""
        self._workroom, self._pool, self._say = workroom, pool, say
        self._past: Past | None = None
        self._where: Ref | None = None
        self._known: dict[Any, Any] = {}

    def tell_past(self, past: Past) -> None:
        """Answer about this past from now on."""
        self._past = past
        if self._pool is not None:
            self._where = self._workroom.open().ports.store.put(canonical(past), ".json")

    def __call__(self, questions: Sequence[Question]) -> list[Any]:
        """Return the answers, in the order of the questions."""
        names = [_name(question) for question in questions]
        new = {n: q for n, q in zip(names, questions, strict=True) if n not in self._known}
        makes = sum(isinstance(question, Make) for question in new.values())
        made = 0
        for (name, question), found in zip(new.items(), self._ask(list(new.values())), strict=True):
            self._known[name] = found
            if isinstance(question, Make) and makes > 1:
                made += 1
                if not made % _SAID_AFTER or made == makes:
                    at = iso(question.moment)[:13]
                    self._say(f"{made} of {makes} versions made, the last one at {at}")
        return [self._known[name] for name in names]

    def _ask(self, questions: list[Question]) -> Iterator[Any]:
        if self._pool is None:
            yield from (answer(self._workroom.open(), self._past, q) for q in questions)
            return
        try:
            yield from self._pool.map(partial(_answer_there, self._where), questions)
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
def answering(
    workroom: Workroom, workers: int, say: Callable[[str], None] = lambda _: None
) -> Iterator[Answers]:
    """Yield who answers, in so many processes; with one in this process."""
    if workers == 1:
        yield Answers(workroom, say=say)
        return
    # Processes that each have a thread for every core get in each other's way, also where answers
    # are scored. What they inherit holds before anything native is loaded.
    announce_threads(workroom.settings.threads)
    # Not forked: a copy of a process with threads may stand still for ever.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(workroom, os.getpid()),
    )
    try:
        for _ in range(workers):
            pool.submit(_load)  # while this process reads the past
        yield Answers(workroom, pool, say)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_THERE: dict[str, Any] = {}
"""What a process of the pool answers in, and about."""


def _begin(workroom: Workroom, parent: int) -> None:
    die_with_parent(signal.SIGTERM, parent)
    logging.getLogger("perennial").setLevel(logging.ERROR)
    _THERE.update(workroom=workroom)


def _load() -> None:
    """Load what learning needs, which takes some seconds."""
    import sklearn.ensemble  # noqa: F401

    import pipelines.training.candidate_fit  # noqa: F401


def _answer_there(where: Ref | None, question: Question) -> Value:
    context = _THERE["workroom"].open()
    if where is not None and _THERE.get("where") != where:
        past = Past.model_validate_json(context.ports.store.get(where))
        _THERE.update(where=where, past=past)
    return answer(context, _THERE.get("past"), question)
