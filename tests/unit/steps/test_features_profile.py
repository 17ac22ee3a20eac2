"""The profile of a served model is compared with what the champion learnt from."""

from datetime import UTC, datetime

from pipelines.messages import FeaturesRequest, IngestRequest, ValidateRequest
from pipelines.steps import features, ingest, validate
from pipelines.store.pages import find_page
from tests.worlds import as_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_reference_is_the_champions(watched):
    context = watched.context
    plan = ingest.run(context, IngestRequest(run="r", now=NOW, conf={"as_of": as_of(4)}))
    validated = validate.run(context, ValidateRequest(run="r", ingest=plan))
    features.run(context, FeaturesRequest(run="r", ingest=plan, validate=validated))
    page = find_page(context.ports.store, model="sales", kind="profile", run="r").decode()
    version = context.ports.ledger.champion("sales").version
    words = f"the rows that the champion, version {version}, learnt from"
    assert f"Distances are from {words}." in page
    assert "Distances are from the batches 2024-01-01T00 to 2024-01-02T00." in page
