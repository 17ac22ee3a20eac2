"""Batches of a model that has a schema.yaml: what breaks the contract, and what is new."""

import json
from datetime import UTC, datetime

import pytest

from pipelines.data.accepting import accept_schema
from pipelines.errors import BadData
from pipelines.messages import IngestRequest, ValidateRequest
from pipelines.steps import ingest, validate
from tests.worlds import as_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(world, ports):
    accept_schema(world.context(ports))

    def validate_as_of(day=3):
        context = world.context(ports)
        ingested = ingest.run(context, IngestRequest(run="r", now=NOW, conf={"as_of": as_of(day)}))
        return validate.run(context, ValidateRequest(run="r", ingest=ingested))

    return validate_as_of


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda f: f.drop(columns="pages"), ["'pages' is gone", "integer in schema.yaml"]),
        (lambda f: f.rename(columns={"pages": "page"}), ["'pages' may be called 'page' now"]),
        (
            lambda f: f.assign(pages=["many", *f["pages"][1:]]),
            ["2024-01-02.csv, line 2", "'pages' (integer) holds 'many'", "no whole number"],
        ),
        (
            lambda f: f.assign(visit=[None, *f["visit"][1:]]),
            ["'visit' has 1 row without a value", "nullable: false"],
        ),
    ],
)
def test_a_batch_that_breaks_the_schema_goes_to_quarantine(run, world, ports, edit, words):
    world.rewrite(1, edit(world.frame(1)))
    with pytest.raises(BadData):
        run()
    [key] = ports.store.keys("quarantine/sales")
    (reason,) = json.loads(ports.store.read(key))["reasons"]
    assert "2024-01-02" in key
    assert [word for word in words if word not in reason] == []


def test_a_new_column_is_a_warning_and_is_left_out(run, world):
    world.rewrite(1, world.frame(1).assign(weather="rain"))
    result = run()
    assert [
        "2024-01-02T00: events: schema.yaml does not know 'weather' (text)" in w
        for w in result.warnings
    ] == [True]
