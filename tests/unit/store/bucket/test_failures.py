"""What an endpoint's answer is called, by the words of the library."""

from __future__ import annotations

import pytest
from obstore.exceptions import GenericError

from pipelines.errors import Denied, Unreachable
from pipelines.store.bucket.address import BucketAddress
from pipelines.store.bucket.failures import name_failure

GOOGLE = BucketAddress("models", "team", scheme="gs")
TOKEN = (
    "Generic GCS error: Error performing token request: Error performing POST"
    " https://accounts.google.com/o/oauth2/token in 38ms - "
)


def test_a_login_at_google_that_has_ended_is_named_and_no_bucket_is_blamed():
    text = TOKEN + 'Server returned non-2xx status code: 400 Bad Request: {"error":"invalid_grant"}'
    found = name_failure(GenericError(text), GOOGLE, "read", "objects/one")
    assert isinstance(found, Denied)
    assert "person's login" in found.message
    assert "gcloud auth application-default login" in found.remedy
    assert "invalid_grant" not in str(found)


def test_tokens_that_cannot_be_asked_for_are_no_login_that_has_ended():
    found = name_failure(
        GenericError(TOKEN + "HTTP error: error sending request"), GOOGLE, "read", "objects/one"
    )
    assert isinstance(found, Unreachable)


@pytest.mark.parametrize(
    "place",
    [
        "PUT http://169.254.169.254/latest/api/token",
        "GET http://169.254.169.254:80/metadata/identity/oauth2/token",
        "GET http://169.254.170.23/v1/credentials",
        "GET http://metadata/computeMetadata/v1/instance/service-accounts/default/token",
        "GET http://127.0.0.1:7/computeMetadata/v1/instance/service-accounts/default/token",
    ],
)
def test_a_machine_without_an_identity_is_named_by_where_it_asked(place):
    text = f"Generic GCS error: Error performing {place} in 38ms - HTTP error: error sending"
    found = name_failure(GenericError(text), GOOGLE, "read", "objects/one")
    assert "this machine has no identity" in found.message


@pytest.mark.parametrize(
    "place",
    [
        "https://storage.googleapis.com/models/computeMetadata/objects/one",
        "https://storage.googleapis.com/models/team/169.254.169.254/one",
        "http://127.0.0.1:9000/models/http:/169.254.169.254/one",
    ],
)
def test_a_path_that_is_called_like_it_is_none(place):
    text = f"Generic GCS error: Error performing GET {place} in 38ms - HTTP error: error sending"
    found = name_failure(GenericError(text), GOOGLE, "read", "objects/one")
    assert isinstance(found, Unreachable)
    assert "identity" not in found.message
