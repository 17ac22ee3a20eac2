"""What is wrong with a body, in words: which field, what was expected, an example.

Never a library's own message.
"""

from __future__ import annotations

import json

import pytest

from tests.serving.bundles import put_release
from tests.serving.conftest import ROW, InProcess

ROW_LIKE = '{"distance": 1.5, …}'
BODY_LIKE = f'{{"row": {ROW_LIKE}}}'
LABEL_LIKE = '{"request_id": "…", "label": true}'
KEY = "a text of 1 to 200 characters"
MODELS = {"flights": "1", "delays": "multiclass", "minutes": "regression"}


@pytest.fixture(scope="module")
def client(shelf, tmp_path_factory):
    import shutil

    from pipelines.settings import Settings
    from pipelines.store.local import LocalStore
    from serving.app import create_app

    folder = tmp_path_factory.mktemp("words")
    shutil.copytree(shelf[0].root, folder / "store")
    store = LocalStore(folder / "store")
    for model, bundle in MODELS.items():
        put_release(store, 1, shelf[1][bundle], model=model)
    with InProcess(create_app(Settings(state=folder, serving_poll_seconds=60), store)) as client:
        yield client


def told(client, body, route="predict", model="flights"):
    """Return status, field and message of the answer to a body, given as JSON text or as what
    becomes it."""
    text = body if isinstance(body, str) else json.dumps(body)
    answer = client.post(f"/models/{model}/{route}", content=text.encode("utf-8", "surrogatepass"))
    found = answer.json()
    assert set(found["error"]) <= {"code", "message", "row", "field"}
    assert found["request_id"]
    return answer.status_code, found["error"].get("field"), found["error"]["message"]


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "rows", f'A body needs "row" or "rows", like {BODY_LIKE}.'),
        ({"row": ROW, "rows": [ROW]}, "rows", 'Send either "row" or "rows", not both.'),
        (ROW, "distance", f"The field distance belongs into a row, like {BODY_LIKE}."),
        (
            {"instances": [ROW]},
            "instances",
            (
                f'The field instances is no part of a body, which is like {BODY_LIKE} or {{"rows":'
                " [ … ]}."
            ),
        ),
        ([ROW], None, f"The body must be an object like {BODY_LIKE}, not a list."),
        (None, None, f"The body must be an object like {BODY_LIKE}, not null."),
        (17, None, f"The body must be an object like {BODY_LIKE}, not a whole number."),
        ('"text"', None, f"The body must be an object like {BODY_LIKE}, not a text."),
        ({"row": [1, 2]}, "row", f"A row must be an object like {ROW_LIKE}, not a list."),
        ({"rows": [[1, 2]]}, "row", f"A row must be an object like {ROW_LIKE}, not a list."),
        (
            {"rows": ROW},
            "rows",
            f"rows must be a list of rows, each like {ROW_LIKE}, not an object.",
        ),
        ({"rows": []}, "rows", "Send at least one row."),
        (
            {"row": {**ROW, "seats": {"n": 1}}},
            "seats",
            "seats must be a whole number, not an object.",
        ),
        (
            {"row": {**ROW, "carrier": 1.5}},
            "carrier",
            "carrier must be a text or null, not a number.",
        ),
        ({"row": {**ROW, "other": 1}}, "other", "The field other is no input of this model."),
        ({"row": {}}, "distance", "The field distance is missing."),
        (
            {"row": ROW, "key": 17},
            "key",
            f'key must be {KEY}, not a whole number: write it in quotes, like "17".',
        ),
        ({"row": ROW, "key": None}, "key", f"key must be {KEY}, not null."),
        ({"row": ROW, "key": ""}, "key", f"key must be {KEY}."),
        ({"row": ROW, "keys": ["a"]}, "keys", 'The field keys belongs beside "rows".'),
        (
            {"rows": [ROW], "keys": "a"},
            "keys",
            f"keys must be a list with {KEY}, or null, for each row, not a text.",
        ),
        (
            {"rows": [ROW], "keys": [17]},
            "keys",
            (
                f"keys must be {KEY}, or null for row 0, not a whole number: write it in quotes,"
                ' like "17".'
            ),
        ),
        ({"rows": [ROW], "keys": []}, "keys", "There are 0 keys and 1 rows."),
        (
            {"row": ROW, "event_time": 1_362_130_200},
            "event_time",
            (
                "event_time must be a time with a zone (RFC 3339) between 1900 and 2200, such as"
                ' "2013-03-01T09:30:00Z", not a whole number.'
            ),
        ),
    ],
)
def test_a_prediction_that_cannot_be_asked_like_this(client, body, field, words):
    assert told(client, body) == (422, field, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "The body is empty; send a JSON object."),
        (" \n", "The body is empty; send a JSON object."),
        ('{"row":', "The body is no JSON: it ends too early."),
        ("{'row': 1}", "The body is no JSON: byte 1 cannot stand there."),
        ("distance=1", "The body is no JSON: byte 0 cannot stand there."),
        (
            '{"row": {"distance": NaN}}',
            (
                "The body is no JSON: NaN and Infinity are no numbers there; null stands for what"
                " is not known."
            ),
        ),
        (
            '{"row": {"distance": -Infinity}}',
            (
                "The body is no JSON: NaN and Infinity are no numbers there; null stands for what"
                " is not known."
            ),
        ),
        (
            '{"row": {"carrier": "\\ud800"}}',
            (
                "The body is no JSON: a text in it holds half a character (an unpaired surrogate"
                " such as \\ud800)."
            ),
        ),
        ('{"row": ' + '{"a": ' * 3_000, "The field a is no input of this model."),
        ("[" * 100_000, f"The body must be an object like {BODY_LIKE}, not a list."),
    ],
)
def test_a_body_that_is_no_json(client, body, words):
    assert told(client, body)[2] == words


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "label", f"label is missing: say what happened, like {LABEL_LIKE}."),
        ({"key": "x"}, "label", f"label is missing: say what happened, like {LABEL_LIKE}."),
        ({"labels": [{}]}, "label", f"label is missing: say what happened, like {LABEL_LIKE}."),
        (
            {"label": 1},
            "request_id",
            (
                'Send exactly one of "request_id" and "key": they say which prediction the label'
                " belongs to."
            ),
        ),
        (
            {"key": 17, "label": 1},
            "key",
            f'key must be {KEY}, not a whole number: write it in quotes, like "17".',
        ),
        (
            {"labels": [{"key": 17, "label": 1}]},
            "key",
            f'key must be {KEY}, not a whole number: write it in quotes, like "17".',
        ),
        ({"key": "x", "label": None}, "label", "label must be what happened, like true, not null."),
        (
            {"key": "x", "label": [1]},
            "label",
            "label must be what happened, like true, not a list.",
        ),
        ('{"key": "x", "label": 1e999}', "label", "label must be a finite number."),
        (
            {"key": "x", "label": 1, "other": 1},
            "other",
            (
                'The field other is unknown: a label has "label", and either "request_id" (with'
                ' "row") or "key".'
            ),
        ),
        (
            {"feedback": []},
            "feedback",
            (
                'The field feedback is unknown: a label has "label", and either "request_id" (with'
                ' "row") or "key".'
            ),
        ),
        (
            {"labels": {}},
            "labels",
            f"labels must be a list of labels, each like {LABEL_LIKE}, not an object.",
        ),
        (
            {"labels": ["x"]},
            None,
            (
                f"A label must be an object like {LABEL_LIKE}, not a text; several stand in"
                ' {"labels": [ … ]}.'
            ),
        ),
        (
            [{"key": "x", "label": 1}],
            None,
            (
                f"A label must be an object like {LABEL_LIKE}, not a list; several stand in"
                ' {"labels": [ … ]}.'
            ),
        ),
        (
            {"request_id": "x", "row": "0", "label": 1},
            "row",
            (
                "row must be the row's place in its request, a whole number from 0 to 1000000, not"
                " a text."
            ),
        ),
    ],
)
def test_a_label_that_cannot_be_told_like_this(client, body, field, words):
    assert told(client, body, "feedback") == (422, field, words)


@pytest.mark.parametrize(
    ("model", "example"), [("flights", "true"), ("delays", '"early"'), ("minutes", "1.5")]
)
def test_the_example_of_a_label_is_one_of_the_model(client, model, example):
    assert told(client, {"key": "x"}, "feedback", model)[2].endswith(f'"label": {example}}}.')
