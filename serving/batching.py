"""Requests that wait for the same model are answered together.

One call of scikit-learn costs nearly the same for one row as for a hundred. While a call is under
way, the next requests gather; an idle model is asked at once, so nobody waits for company.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = list[tuple[Any, ...]]
    Answer = Callable[[Rows], list[Any]]

MOST_ROWS = 1_024
"""Rows of one call; a request with more is answered by itself."""
MOST_WAITING = 2_048
"""Requests that may wait; the next one is told to come again."""
MOST_FAILURES = 3
"""After so many lonely failures in a row, the others of a failed call are not tried any more."""


@dataclass(frozen=True)
class _Waiting:
    rows: Rows
    answer: Answer
    done: asyncio.Future[list[Any]]


class Batcher:
    """Gathers the requests of one release; it lives in one event loop."""

    def __init__(self) -> None:
        """Have nobody waiting."""
        self._queue: deque[_Waiting] = deque()
        self._work: asyncio.Task[None] | None = None

    async def predictions(
        self, rows: Rows, answer: Answer, observe: Callable[[int], None]
    ) -> list[Any]:
        """Return the predictions of the rows, answered in the order in which requests came.

        `observe` is told how many requests a call answered. Raises what `answer` raises for these
        rows, Problem 503 where too many wait already.
        """
        if len(self._queue) >= MOST_WAITING:
            raise Problem(
                503,
                "model_busy",
                f"{len(self._queue)} requests wait for this model already.",
                headers={"retry-after": "1"},
            )
        done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(rows, answer, done))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._answer_all(observe))
        return await done

    async def _answer_all(self, observe: Callable[[int], None]) -> None:
        while self._queue:
            batch = self._take()
            if batch:
                observe(len(batch))
                await _answer(batch)

    def _take(self) -> list[_Waiting]:
        """Return the next requests that fit into one call; whoever has gone is left out."""
        batch: list[_Waiting] = []
        count = 0
        while self._queue and (not batch or count + len(self._queue[0].rows) <= MOST_ROWS):
            waiting = self._queue.popleft()
            if not waiting.done.done():
                batch.append(waiting)
                count += len(waiting.rows)
        return batch


async def _answer(batch: list[_Waiting]) -> None:
    """Answer the requests together; where that fails, each by itself."""
    rows = [row for waiting in batch for row in waiting.rows]
    try:
        answers = await asyncio.to_thread(batch[0].answer, rows)
    # Whatever it is, it is the answer to whoever asked.
    except Exception as error:  # noqa: BLE001
        if len(batch) == 1:
            _fail(batch[0], error)
        else:
            await _answer_alone(batch)
        return
    start = 0
    for waiting in batch:
        end = start + len(waiting.rows)
        if not waiting.done.done():
            waiting.done.set_result(answers[start:end])
        start = end


async def _answer_alone(batch: list[_Waiting]) -> None:
    """Answer each request by itself, so that one bad row fails its own request only."""
    failures = 0
    last: Exception | None = None
    for waiting in batch:
        if last is not None and failures >= MOST_FAILURES:
            _fail(waiting, last)  # the model fails, not the rows
            continue
        try:
            answers = await asyncio.to_thread(waiting.answer, waiting.rows)
        except Exception as error:  # noqa: BLE001 -- as above
            # A request that is itself at fault says nothing of the model.
            is_fault = isinstance(error, Problem) and error.status < 500  # noqa: PLR2004
            failures, last = (failures, last) if is_fault else (failures + 1, error)
            _fail(waiting, error)
        else:
            failures = 0
            if not waiting.done.done():
                waiting.done.set_result(answers)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
