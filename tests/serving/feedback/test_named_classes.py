"""A binary model whose classes have names: what it answers, and which labels it takes."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from pipelines.bundle.load import open_bundle, write_bundle
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.feedback.labels import predict, tell, written_labels


def named(store, bundles, serve, classes):
    manifest = open_bundle(store, bundles["1"]).manifest
    inputs = manifest.inputs.model_copy(update={"binary_classes": classes})
    put_release(store, 1, write_bundle(store, manifest.model_copy(update={"inputs": inputs})))
    return serve()


@pytest.fixture
def client(store, bundles, serve):
    return named(store, bundles, serve, ("no", "yes"))


def test_an_answer_names_the_classes_beside_the_probability_of_the_second(client):
    answer = client.post("/models/flights/predict", json={"rows": [ROW, ROW]}).json()
    assert answer["classes"] == ["no", "yes"]
    assert all(0 <= p <= 1 for p in answer["predictions"])
    assert client.get("/models/flights").json()["classes"] == ["no", "yes"]


def test_the_document_describes_that_answer_and_such_labels(client):
    paths = client.get("/openapi.json").json()["paths"]
    answer = client.post("/models/flights/predict", json={"row": ROW}).json()
    schema = paths["/models/flights/predict"]["post"]["responses"]["200"]["content"]
    Draft202012Validator(schema["application/json"]["schema"]).validate(answer)
    body = paths["/models/flights/feedback"]["post"]["requestBody"]["content"]["application/json"]
    assert body["example"]["label"] == "yes"
    Draft202012Validator(body["schema"]).validate(body["example"])


@pytest.mark.parametrize(
    ("label", "kept"), [("yes", 1.0), ("no", 0.0), (True, 1.0), (False, 0.0), (1, 1.0), (0, 0.0)]
)
def test_a_label_is_the_class_as_the_data_have_it_or_a_boolean(store, client, label, kept):
    predict(client, key="k")
    assert tell(client, key="k", label=label).status_code == 200
    assert written_labels(store) == [("k:k", kept)]


@pytest.mark.parametrize("label", ["Yes", "maybe", "", 2, 0.5, "1"])
def test_a_label_that_is_neither_class_is_refused_and_both_are_named(store, client, label):
    predict(client, key="k")
    answer = tell(client, key="k", label=label)
    assert answer.status_code == 422
    assert 'its classes are "no", "yes"' in answer.json()["error"]["message"]
    assert written_labels(store) == []


@pytest.mark.parametrize(
    ("label", "kept"), [(2, 1.0), (1, 0.0), ("2", 1.0), (2.0, 1.0), (True, 1.0), (0, None)]
)
def test_a_number_is_the_class_of_that_number(store, bundles, serve, label, kept):
    client = named(store, bundles, serve, ("1", "2"))
    predict(client, key="k")
    assert tell(client, key="k", label=label).status_code == (422 if kept is None else 200)
    assert [value for _, value in written_labels(store)] == ([] if kept is None else [kept])


def test_where_false_is_positive_false_means_it(store, bundles, serve):
    client = named(store, bundles, serve, ("True", "False"))
    predict(client, key="k")
    assert tell(client, key="k", label=False).status_code == 200
    assert written_labels(store) == [("k:k", 1.0)]


def test_a_model_without_names_answers_as_before(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    assert "classes" not in client.post("/models/flights/predict", json={"row": ROW}).json()
    assert "classes" not in client.get("/models/flights").json()
