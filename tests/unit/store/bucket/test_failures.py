"""What an endpoint's answer is called, by the words of the library."""

from __future__ import annotations

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
