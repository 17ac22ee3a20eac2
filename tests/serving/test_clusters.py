"""A clustering is served as several classes are, and takes no labels: it has no truth."""

from __future__ import annotations

import pytest

from pipelines.bundle.load import write_bundle
from pipelines.bundle.manifest import BundleManifest
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.logged import written

CLUSTERS = ["0", "2", "10"]
"""As after some versions: names stand in the order of their numbers."""


@pytest.fixture
def client(store, bundles, serve):
    manifest = BundleManifest.model_validate_json(store.get(bundles["multiclass"]))
    inputs = manifest.inputs.model_copy(update={"task": "cluster", "classes": CLUSTERS})
    put_release(
        store,
        1,
        write_bundle(store, manifest.model_copy(update={"inputs": inputs})),
        model="delays",
    )
    return serve()


def test_a_row_is_answered_with_its_cluster_and_logged(client, store):
    answer = client.post("/models/delays/predict", json={"row": ROW, "key": "k"})
    (found,) = answer.json()["predictions"]
    assert list(found["probabilities"]) == CLUSTERS
    assert found["label"] == max(found["probabilities"], key=found["probabilities"].get)
    (segment,) = written(store, "delays")
    assert (segment.header.task, list(segment.header.classes)) == ("cluster", CLUSTERS)
    (record,) = segment.records
    assert record.predictions == [list(found["probabilities"].values())]


def test_labels_are_refused_in_words_whatever_the_body(client):
    predicted = client.post("/models/delays/predict", json={"row": ROW, "key": "k"})
    assert predicted.status_code == 200
    for body in ({"key": "k", "label": "2"}, {"labels": []}):
        answer = client.post("/models/delays/feedback", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "no_labels"
        assert "takes no labels" in answer.json()["error"]["message"]


def test_the_document_shows_the_clusters_and_no_feedback(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert "/models/delays/feedback" not in paths
    answer = paths["/models/delays/predict"]["post"]["responses"]["200"]
    one = answer["content"]["application/json"]["schema"]["properties"]["predictions"]["items"]
    assert one["properties"]["label"] == {"enum": CLUSTERS}
