"""Doctor's look at the bucket of the store."""

import pytest

from pipelines.ops.doctor.bucket import check_bucket
from pipelines.ops.findings import run_check
from pipelines.settings import load_settings
from tests.bad_network import bad_network
from tests.buckets import moto


def look(environ, tmp_path):
    settings = load_settings({**environ, "PERENNIAL_STATE": str(tmp_path)})
    return run_check("bucket", lambda: check_bucket(settings))


def test_of_a_folder_nothing_is_said(tmp_path):
    assert look({}, tmp_path) == []


@pytest.mark.slow
def test_a_bucket_that_keeps_the_promise_is_well_and_one_that_does_not_is_a_problem(
    tmp_path, monkeypatch
):
    with moto() as endpoint, endpoint.bucket() as address, bad_network(endpoint.url) as network:
        environ = endpoint.environment(address) | {"PERENNIAL_STORE_ENDPOINT": network.url}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, environ[name])
        (well,) = look(environ, tmp_path)
        assert well.state == "ok"
        assert "of two writers the first wins" in well.said

        network.refuse("DELETE", 403, "AccessDenied")
        network.refuse("POST", 403, "AccessDenied")
        (denied,) = look(environ, tmp_path)
        assert denied.state == "problem"
        assert "the right s3:DeleteObject is missing" in denied.said
        network.refusals.clear()

        network.ignores_conditions = True
        (ignoring,) = look(environ, tmp_path)
        assert ignoring.state == "problem"
        assert "ignores If-None-Match" in ignoring.said

        (missing,) = look({**environ, "PERENNIAL_STORE": "s3://perennial-none"}, tmp_path)
        assert missing.state == "problem"
        assert "There is no bucket perennial-none" in missing.said


def test_an_endpoint_that_is_away_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    environ = {
        "PERENNIAL_STORE": "s3://models/team",
        "PERENNIAL_STORE_ENDPOINT": "http://127.0.0.1:1",
        "PERENNIAL_STORE_RETRY_SECONDS": "0.5",
    }
    (away,) = look(environ, tmp_path)
    assert away.state == "problem"
    assert "could not be reached" in away.said
