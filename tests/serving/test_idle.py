"""A model that nobody asks is dropped from memory; whoever asks next finds it there again."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from pipelines.bundle.manifest import BundleManifest
from pipelines.errors import Corrupted
from serving.idle import IdlePredictor
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, wait_until
from tests.serving.releases import PREDICT


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Doubling:
    """Answers with twice what it is asked."""

    schema = SimpleNamespace(columns=[])

    def predict_feed(self, feed):
        return feed * 2


@pytest.fixture
def clock():
    return Clock()


def test_it_is_dropped_after_so_long_without_a_question_and_opened_by_the_next(clock):
    opened = []
    idle = IdlePredictor(Doubling(), lambda: opened.append(clock.now) or Doubling(), clock)
    clock.now = 50
    assert idle.predict_feed(1) == 2
    clock.now = 100
    assert not idle.drop_after(60)
    clock.now = 110
    assert idle.drop_after(60)
    assert idle.is_dropped
    assert not idle.drop_after(60)
    assert idle.predict_feed(2) == 4
    assert opened == [110]
    assert not idle.drop_after(60)


def test_many_who_ask_at_once_open_it_once(clock):
    opened, gate = [], threading.Event()

    def reopen():
        gate.wait(10)
        opened.append(1)
        return Doubling()

    idle = IdlePredictor(Doubling(), reopen, clock)
    assert idle.drop_after(0)
    answers = []
    askers = [
        threading.Thread(target=lambda n=n: answers.append(idle.predict_feed(n))) for n in range(8)
    ]
    for asker in askers:
        asker.start()
    gate.set()
    for asker in askers:
        asker.join()
    assert sorted(answers) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert opened == [1]


def test_one_that_cannot_be_opened_says_so_each_time(clock):
    def reopen():
        raise Corrupted("it is gone")

    idle = IdlePredictor(Doubling(), reopen, clock)
    idle.drop_after(0)
    for _ in range(2):
        with pytest.raises(Corrupted, match="it is gone"):
            idle.predict_feed(1)


def await_drop(client):
    wait_until(lambda: client.look() or not client.get("/models/flights").json()["in_memory"])


class TestServer:
    @pytest.fixture
    def settings(self, settings):
        return settings.replace(serving_idle_seconds=0.001)

    def test_a_dropped_model_answers_as_before_and_is_told_of(self, store, bundles, serve):
        put_release(store, 1, bundles["1"])
        client = serve()
        before = client.post(PREDICT, json={"row": ROW}).json()["predictions"]
        await_drop(client)
        assert client.get("/ready").status_code == 200
        assert client.post(PREDICT, json={"row": ROW}).json()["predictions"] == before
        assert client.get("/models/flights").json()["in_memory"] is True

    def test_a_model_that_cannot_be_opened_is_503_and_answers_once_it_can(
        self, store, bundles, serve
    ):
        put_release(store, 1, bundles["1"])
        client = serve()
        await_drop(client)
        manifest = BundleManifest.model_validate_json(store.get(bundles["1"]))
        file = store.path(manifest.onnx)
        content = file.read_bytes()
        file.chmod(0o600)
        file.write_bytes(b"torn")
        answer = client.post(PREDICT, json={"row": ROW})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_not_loaded")
        assert "was not asked for a while" in answer.json()["error"]["message"]
        file.write_bytes(content)
        assert client.post(PREDICT, json={"row": ROW}).status_code == 200

    def test_a_new_release_takes_over_from_a_dropped_one(self, store, bundles, serve):
        put_release(store, 1, bundles["1"])
        client = serve()
        await_drop(client)
        put_release(store, 2, bundles["2"], version="2")
        client.look()
        assert client.post(PREDICT, json={"row": ROW}).json()["version"] == "2"


def test_without_the_setting_nothing_is_dropped(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    client.look()
    assert client.get("/models/flights").json()["in_memory"] is True
    assert client.app.state.follower.states["flights"].served.idle is None
