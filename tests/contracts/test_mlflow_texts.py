"""Tags and descriptions in MLflow that name an erased person are written over, and no others."""

from __future__ import annotations

import pytest
from mlflow.tracking import MlflowClient
from sqlalchemy import make_url

from pipelines.ops.erasure.mlflow_texts import ERASED, erase_texts
from pipelines.ops.traces.content import database_holds
from pipelines.ops.traces.outside import file_of
from pipelines.ops.traces.sought import Sought
from pipelines.settings import Settings

PERSON, OTHER = "c-4711", "c-4712"
SOUGHT = [Sought(frozenset({PERSON}))]


@pytest.fixture
def known(real, uri, tmp_path):
    """Settings and a client of an MLflow that knows the person by run, version and parameter."""
    run = real.parent("sales", "first", {"reasons": f"slice visit = {PERSON}", "other": OTHER})
    strange = real.parent("other", "first", {"reasons": PERSON})
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model("sales")
    tags = {"would_pass": f"{PERSON} is an example", "perennial.key": "first"}
    client.create_model_version("sales", source=f"runs:/{run}/model", run_id=run, tags=tags)
    real.describe("sales", "1", f"# Card\n{PERSON} is an example")
    return Settings(state=tmp_path / "var", mlflow_uri=uri), client, run, strange


def test_texts_that_name_the_person_are_written_over(known):
    settings, client, run, strange = known
    assert erase_texts(settings, "sales", SOUGHT) == 3
    tags = client.get_run(run).data.tags
    assert (tags["reasons"], tags["other"]) == (ERASED, OTHER)
    version = client.get_model_version("sales", "1")
    assert (version.description, version.tags["would_pass"]) == (ERASED, ERASED)
    assert version.tags["perennial.key"] == "first"
    assert client.get_run(strange).data.tags["reasons"] == PERSON, "another model's"
    assert erase_texts(settings, "sales", SOUGHT) == 0


def test_the_file_holds_nothing_of_what_was_written_over(known):
    settings, client, _, strange = known
    client.set_tag(strange, "reasons", "none")
    erase_texts(settings, "sales", SOUGHT)
    assert not database_holds(file_of(make_url(settings.mlflow_uri)), SOUGHT)


def test_a_parameter_cannot_be_changed_and_stays_to_be_found(known):
    settings, client, run, _ = known
    client.log_param(run, "example", PERSON)
    erase_texts(settings, "sales", SOUGHT)
    assert database_holds(file_of(make_url(settings.mlflow_uri)), SOUGHT)


def test_an_mlflow_that_is_not_there_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    missing = f"sqlite:///{tmp_path}/none.db"
    assert erase_texts(Settings(state=tmp_path, mlflow_uri=missing), "sales", SOUGHT) == 0
    away = Settings(state=tmp_path, mlflow_uri="http://127.0.0.1:1")
    assert erase_texts(away, "sales", SOUGHT) == 0
