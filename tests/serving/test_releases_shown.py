"""What is told of a model: its release, its document, its page."""

from __future__ import annotations

from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.releases import PREDICT, spoilt


def test_what_is_told_of_a_model(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    client = serve()
    body = client.get("/models/flights").json()
    assert body["fitted_on"] == {"start": "2013-03-01T00:00:00Z", "end": "2013-04-01T00:00:00Z"}
    assert (body["rows"], body["features_revision"], body["compiled"]) == (400, "abc123", True)
    assert body["metrics"] == {"roc_auc": 0.75, "log_loss": None}
    assert body["inputs"]["properties"]["seats"]["type"] == "integer"
    assert body["inputs"]["properties"]["carrier"]["type"] == ["string", "null"]
    assert body["since"].endswith("Z")
    assert client.get("/models").json() == {"models": [body]}


def test_openapi_shows_each_served_model_with_an_example_that_works(store, bundles, serve):
    put_release(store, 1, bundles["1"])
    put_release(store, 1, bundles["multiclass"], model="delays")
    put_release(store, 1, spoilt(store, bundles["1"]), model="broken")
    client = serve()
    paths = client.get("/openapi.json").json()["paths"]
    predict = [p for p in paths if p.endswith("/predict")]
    assert predict == ["/models/delays/predict", PREDICT]
    for path in predict:
        content = paths[path]["post"]["requestBody"]["content"]["application/json"]
        assert client.post(path, json=content["example"]).status_code == 200
        assert set(content["schema"]["oneOf"][1]["properties"]["row"]["required"]) == set(ROW)


def test_the_answer_and_the_example_follow_their_own_schema(store, bundles, serve):
    from jsonschema import Draft202012Validator

    put_release(store, 1, bundles["multiclass"], model="delays")
    client = serve()
    post = client.get("/openapi.json").json()["paths"]["/models/delays/predict"]["post"]
    content = post["requestBody"]["content"]["application/json"]
    Draft202012Validator(content["schema"]).validate(content["example"])
    answer = client.post("/models/delays/predict", json=content["example"])
    Draft202012Validator(
        post["responses"]["200"]["content"]["application/json"]["schema"]
    ).validate(answer.json())
    problem = client.post("/models/delays/predict", json={"row": {}})
    Draft202012Validator(
        post["responses"]["default"]["content"]["application/json"]["schema"]
    ).validate(problem.json())


def test_the_page_needs_no_other_server(serve):
    page = serve().get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
