"""Requests that wait for a model are answered together, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading

import pytest

from serving import batching
from serving.batching import Batcher
from serving.problems import Problem


class Model:
    """Doubles numbers; fails where a row is `bad`. Waits for `go` at its first call."""

    def __init__(self, bad=None, fails=None):
        self.calls = []
        self.go = threading.Event()
        self._bad, self._fails = bad, fails

    def answer(self, rows):
        self.calls.append(len(rows))
        self.go.wait(5)
        values = [row[0] for row in rows]
        if self._fails or self._bad in values:
            raise self._fails or Problem(422, "input_too_far", "too far")
        return [2 * value for value in values]


async def ask(model, count, sizes):
    batcher = Batcher()
    tasks = []
    for i in range(count):
        rows = [(i,)]
        tasks.append(asyncio.create_task(batcher.predictions(rows, model.answer, sizes.append)))
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    model.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_the_first_is_answered_at_once_and_those_that_wait_together():
    model, sizes = Model(), []
    answers = asyncio.run(ask(model, 10, sizes))
    assert answers == [[2 * i] for i in range(10)]
    assert model.calls[0] < 10
    assert len(model.calls) == 2
    assert sizes == model.calls


def test_a_bad_row_fails_its_own_request_alone():
    model = Model(bad=7)
    answers = asyncio.run(ask(model, 10, []))
    assert isinstance(answers[7], Problem)
    assert [a for i, a in enumerate(answers) if i != 7] == [[2 * i] for i in range(10) if i != 7]


def test_a_model_that_fails_for_all_is_not_asked_for_each():
    model = Model(fails=Problem(503, "model_failed", "it hangs"))
    answers = asyncio.run(ask(model, 100, []))
    assert all(isinstance(a, Problem) and a.code == "model_failed" for a in answers)
    assert len(model.calls) <= 2 + batching.MOST_FAILURES


def test_who_comes_to_too_many_is_told_to_come_again(monkeypatch):
    monkeypatch.setattr(batching, "MOST_WAITING", 5)
    answers = asyncio.run(ask(Model(), 20, []))
    busy = [a for a in answers if isinstance(a, Problem)]
    assert busy
    assert {(a.status, a.code, a.headers["retry-after"]) for a in busy} == {
        (503, "model_busy", "1")
    }


def test_a_caller_that_has_gone_costs_the_others_nothing():
    async def go():
        model, batcher, sizes = Model(), Batcher(), []
        tasks = [
            asyncio.create_task(batcher.predictions([(i,)], model.answer, sizes.append))
            for i in range(3)
        ]
        await asyncio.sleep(0.05)
        tasks[0].cancel()
        model.go.set()
        return await asyncio.gather(*tasks[1:]), await batcher.predictions(
            [(9,)], model.answer, sizes.append
        )

    assert asyncio.run(go()) == ([[2], [4]], [18])


@pytest.mark.parametrize("rows", [1, 3])
def test_each_gets_as_many_answers_as_it_has_rows(rows):
    async def go():
        model, batcher = Model(), Batcher()
        model.go.set()
        return await batcher.predictions([(i,) for i in range(rows)], model.answer, lambda _: None)

    assert asyncio.run(go()) == [2 * i for i in range(rows)]
