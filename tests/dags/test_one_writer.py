"""On SQLite, requests that write to Airflow take turns; those that read do not wait."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from perennial_airflow.one_writer import OneWriter


class App:
    """An ASGI app that notes how many requests it had at once, and answers with the status that is
    next."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.now, self.most = Counter(), Counter()
        self.bodies: list[bytes] = []
        self.meeting = asyncio.Barrier(1)

    async def __call__(self, scope, receive, send) -> None:
        scope["path_params"] = (
            scope.get("path_params", 0) + 1
        )  # as routes do; a second try must not see it
        assert scope["path_params"] == 1
        method = scope["method"]
        self.now[method] += 1
        self.most[method] = max(self.most[method], self.now[method])
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await self.meeting.wait()
        await asyncio.sleep(0)
        status = self.statuses.pop(0) if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-a", b"b")]})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})
        self.now[method] -= 1


def client(app: App, **options) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(OneWriter(app, **options)), base_url="http://airflow"
    )


def test_ten_writers_at_once_are_answered_one_after_the_other():
    async def work():
        app = App()
        async with client(app) as airflow:
            answers = await asyncio.gather(
                *(airflow.post("/", content=f"{number}") for number in range(10))
            )
        assert [answer.text for answer in answers] == [f"{number}!" for number in range(10)]
        assert answers[0].headers["x-a"] == "b"
        assert app.most["POST"] == 1

    asyncio.run(work())


def test_readers_do_not_wait_for_a_writer():
    async def work():
        app = App()
        app.meeting = asyncio.Barrier(
            4
        )  # none of the four is answered before all of them are in the app
        async with client(app) as airflow:
            answers = await asyncio.gather(
                airflow.patch("/"), airflow.get("/"), airflow.get("/"), airflow.get("/")
            )
        assert [answer.status_code for answer in answers] == [200] * 4

    asyncio.run(work())


def test_who_sends_slowly_holds_up_nobody():
    async def work():
        app, rest = App(), asyncio.Event()

        async def drip():
            yield b"slow"
            await rest.wait()
            yield b"ly"

        async with client(app) as airflow:
            slow = asyncio.create_task(airflow.post("/", content=drip()))
            await asyncio.sleep(0)
            assert (await airflow.post("/", content=b"fast")).text == "fast!"
            rest.set()
            assert (await slow).text == "slowly!"

    asyncio.run(work())


@pytest.mark.parametrize(
    ("statuses", "answer", "asked"),
    [
        pytest.param((503, 503, 200), 200, 3, id="free at the third time"),
        pytest.param((503, 503, 503, 503), 503, 3, id="busy to the end"),
        pytest.param((500, 200), 500, 1, id="another error is the answer"),
    ],
)
def test_what_airflow_calls_busy_is_asked_again_with_the_same_body(statuses, answer, asked):
    async def work():
        app = App(*statuses)
        async with client(app, pauses=(0, 0)) as airflow:
            assert (await airflow.post("/", content=b"body")).status_code == answer
        assert app.bodies == [b"body"] * asked

    asyncio.run(work())


@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated")
@pytest.mark.parametrize(
    ("url", "count"), [("sqlite:////tmp/a.db", 1), ("postgresql+psycopg2://airflow@db/airflow", 0)]
)
def test_only_sqlite_needs_it(monkeypatch, url, count):
    from perennial_plugin import PerennialPlugin

    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
    assert [entry["middleware"] for entry in PerennialPlugin().fastapi_root_middlewares].count(
        OneWriter
    ) == count
