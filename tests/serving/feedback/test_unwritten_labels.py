"""A label that cannot be written was not taken, and may come again."""

from __future__ import annotations

from pipelines.settings import Settings
from tests.serving.bundles import put_release
from tests.serving.feedback.labels import counts, predict, tell, written_labels
from tests.serving.logged import Failing, written


def test_a_label_that_cannot_be_written_is_503_and_may_come_again(store, bundles, serve, settings):
    put_release(store, 1, bundles["1"])
    failing = Failing(store)
    client = serve(
        failing, Settings.model_validate({**settings.model_dump(), "log_when_full": "serve"})
    )
    predict(client, key="k")
    failing.error, failing.opening = "full", True
    answer = tell(
        client, key="k", label=1
    )  # whatever is preferred for predictions: a label that is not on the disk was not taken
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
    assert "retry-after" in answer.headers
    failing.error = None
    assert tell(client, key="k", label=0).json()["accepted"] == 1
    assert written_labels(store) == [("k:k", 0.0)]
    assert counts(client) == {"unavailable": 1, "accepted": 1}


def test_a_label_that_cannot_be_flushed_is_taken_back_and_may_come_again(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    failing = Failing(store)
    client = serve(failing)
    for key in ("a", "b"):
        predict(client, key=key)
    assert tell(client, key="a", label=1).status_code == 200
    failing.labels_unflushed = True
    answer = tell(client, key="b", label=1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
    assert written_labels(store) == [("k:a", 1.0)]
    failing.labels_unflushed = False
    assert tell(client, key="b", label=0).json()["accepted"] == 1
    assert written_labels(store) == [("k:a", 1.0), ("k:b", 0.0)]
    assert not [
        s for s in written(store, kind="labels") if len(s.records) > 1
    ]  # nothing follows where a flush failed
    assert counts(client) == {"accepted": 2, "unavailable": 1}
