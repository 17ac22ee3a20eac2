"""Labels come weeks after their answers: the pods that answered are gone by then."""

from __future__ import annotations

import httpx
import pytest

from pipelines.inference_log.join import join_labels
from pipelines.inference_log.label_index import Index
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.rotation import rotate
from tests.asking import ROW
from tests.cluster.reaching import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SENT_SECONDS = 120


def test_a_pod_takes_the_labels_for_answers_of_one_that_is_gone(model):
    store = model.context.ports.store

    def post(route, **body):
        return httpx.post(f"{model.url}/models/{model.name}/{route}", json=body, timeout=30)

    bare = post("predict", row=ROW).json()["request_id"]
    keyed = post("predict", row=ROW, key="a flight").json()["request_id"]
    model.deploy("2")
    until(lambda: model.logged()[1] == 2, SENT_SECONDS)
    index = Index(model.context.settings, store)
    assert rotate(store, model.name, catch_up=index.prepare_rotation).rows == 2
    assert not index.path.exists()

    for request, label in ((bare, 1), (keyed, 0)):
        answer = post("feedback", request_id=request, label=label)
        assert (answer.status_code, answer.json()["unchecked"]) == (200, 1)
    assert post("feedback", key="a flight", label=0).status_code == 200
    until(lambda: read_labels(store, model.name).table.num_rows == 3, SENT_SECONDS)
    rows = join_labels(read_log(store, model.name), read_labels(store, model.name)).rows
    labels = dict(zip(rows["request_id"].to_pylist(), rows["label"].to_pylist(), strict=True))
    assert labels == {bare: 1.0, keyed: 0.0}
