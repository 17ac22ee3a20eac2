"""The document of the API shows feedback as the model takes it."""

from __future__ import annotations

from tests.serving.conftest import ROW
from tests.serving.feedback.labels import PREDICT, predict, tell


def test_the_document_shows_feedback_with_bodies_that_work(client):
    from jsonschema import Draft202012Validator

    paths = client.get("/openapi.json").json()["paths"]
    for model, label in (("flights", True), ("minutes", 1.5), ("delays", "late")):
        request = predict(client, model, key="k")
        post = paths[f"/models/{model}/feedback"]["post"]
        content = post["requestBody"]["content"]["application/json"]
        schema = Draft202012Validator(content["schema"])
        schema.validate(content["example"])
        for body in (
            {"key": "k", "label": label},
            {"labels": [{"request_id": request, "row": 0, "label": label}]},
        ):
            schema.validate(body)
            answer = tell(client, model, **body)
            assert answer.status_code == 200
            Draft202012Validator(
                post["responses"]["200"]["content"]["application/json"]["schema"]
            ).validate(answer.json())
        assert not schema.is_valid({"key": "k", "label": None})
        problem = tell(client, model, key="never", label=label)
        Draft202012Validator(
            post["responses"]["default"]["content"]["application/json"]["schema"]
        ).validate(problem.json())


def test_the_document_shows_keys_and_event_times(client):
    from jsonschema import Draft202012Validator

    schema = client.get("/openapi.json").json()["paths"][PREDICT]["post"]["requestBody"]["content"][
        "application/json"
    ]["schema"]
    moment = "2013-03-01T12:00:00Z"
    for body in (
        {"row": ROW, "key": "k", "event_time": moment},
        {"rows": [ROW, ROW], "keys": ["k", None], "event_times": [moment, moment]},
    ):
        Draft202012Validator(schema).validate(body)
        assert client.post(PREDICT, json=body).status_code == 200
    assert not Draft202012Validator(schema).is_valid({"row": ROW, "keys": ["k"]})
