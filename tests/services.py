"""The services that a store's bucket can be of, as the contract tests reach them.

A test that needs one names the fixture `endpoint`: that is S3, unless the test is one
`on_every_service`. What is not set up is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.azurite import azurite
from tests.buckets import real_endpoint

if TYPE_CHECKING:
    from tests.azurite import Azurite
    from tests.buckets import Endpoint
    from tests.google_storage import GoogleStorage

S3: Final = [
    pytest.param("moto", marks=pytest.mark.slow),
    pytest.param("real", marks=pytest.mark.cluster),
]
EVERY: Final = [
    *S3,
    pytest.param("azurite", marks=pytest.mark.cluster),
    pytest.param("google", marks=pytest.mark.cluster),
]
on_every_service = pytest.mark.parametrize("endpoint", EVERY, indirect=True)


def endpoint_of(request: pytest.FixtureRequest, kind: str) -> Endpoint | Azurite | GoogleStorage:
    """Return the endpoint of a kind; those that tests start themselves are fixtures."""
    if kind in {"moto", "google"}:
        found: Endpoint | GoogleStorage = request.getfixturevalue(f"{kind}_endpoint")
        return found
    return real_endpoint() if kind == "real" else azurite()
