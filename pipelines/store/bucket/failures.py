"""What an endpoint answers and what the way to it suffers, as named errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.errors import Denied, PerennialError, RequestError, Unreachable
from pipelines.store.bucket.services import SERVICES, endpoint_of, name_key

if TYPE_CHECKING:
    from pipelines.store.bucket.address import BucketAddress
    from pipelines.store.bucket.services import Right

_CODE = re.compile(r"<Code>([A-Za-z0-9]+)</Code>")
_STATUS = re.compile(r"(?:non-2xx status code:|\(code:) (\d{3})")
_AGAIN = frozenset({"408", "409", "429"})
"""Statuses of the fours after which another try may do."""
_CERTIFICATE = re.compile(r"certificate|UnknownIssuer|NotValidForName", re.IGNORECASE)

_IDENTITY = re.compile(r"\bhttp://(169\.254\.(169\.254|170\.\d+)|[^/\s]+/computeMetadata)[:/]")
"""Where a machine of a cloud asks for its own identity: the address's beginning, for a path of ours
may hold anything.
"""
_LOGIN = re.compile(r"accounts\.google\.com|oauth2\.googleapis\.com")
"""Where Google gives tokens for a person's login; a service account signs its own."""


def code_of(error: Exception) -> str:
    """Return the code that the endpoint answered (`NoSuchBucket` …), else the HTTP status, else
    nothing: then no answer came.
    """
    text = str(error)
    found = _CODE.search(text) or _STATUS.search(text)
    return found.group(1) if found else ""


def is_final(error: Exception) -> bool:
    """Tell whether another try can change nothing: the endpoint understood and refused."""
    if not code_of(error):
        return bool(_CERTIFICATE.search(str(error)))
    status = _STATUS.search(str(error))
    return status is not None and status.group(1)[0] == "4" and status.group(1) not in _AGAIN


def name_failure(
    error: Exception, address: BucketAddress, right: Right, path: str
) -> PerennialError:
    """Return the error that says what is wrong with the bucket, and what to do.

    `right` is what the call needed, `path` the place below the prefix that it was about. No word of
    the library is shown: it may hold a signature.
    """
    code, service = code_of(error), SERVICES[address.scheme]
    if _IDENTITY.search(str(error)):
        kind = Denied if is_final(error) else Unreachable
        return kind(
            f"No key to the {service.bucket} {address.url} is set, and this machine has no identity"
            " of its own that would do.",
            remedy=f"set {service.key_settings}.",
        )
    if _LOGIN.search(str(error)) and is_final(error):
        return Denied(
            f"Google no longer takes the person's login by which {address.url} is asked ({code}).",
            remedy=(
                "log in again (`gcloud auth application-default login`), or set"
                f" {service.key_settings}."
            ),
        )
    if code in service.denied | {"403", "401"}:
        return Denied(
            f"The {service.bucket} {address.url} denied access to {path}: the right"
            f" {service.rights[right]} is missing.",
            remedy=service.how_to_allow(address, right),
        )
    if code in service.keys:
        return Denied(
            f"The endpoint {endpoint_of(address)} does not take the credentials ({code}).",
            remedy=f"correct or renew them: {name_key(address)}.",
        )
    if is_final(error):
        return _name_refusal(error, address, path)
    said = f"it answered {code}" if code else "no answer came, or it broke off"
    return Unreachable(
        f"The {service.bucket} {address.url} could not be reached in {address.retry_seconds:g} s:"
        f" {said} ({path}).",
        remedy="run again when it is there; nothing was half-written.",
    )


def _name_refusal(error: Exception, address: BucketAddress, path: str) -> RequestError:
    code = code_of(error)
    if not code:
        return RequestError(
            f"The certificate of {endpoint_of(address)} is not trusted here.",
            remedy="name the file of its authority: PERENNIAL_STORE_CA.",
        )
    service = SERVICES[address.scheme]
    if code in service.missing:
        return RequestError(
            f"There is no {service.bucket} {address.bucket} at {endpoint_of(address)}.",
            remedy="make it, or correct PERENNIAL_STORE (docs/bucket.md).",
        )
    if code == "RequestTimeTooSkewed":
        return RequestError(
            f"The endpoint {endpoint_of(address)} refuses requests: the clock of this machine and"
            " its own differ by more than 15 minutes.",
            remedy="set the clock (NTP), then run again.",
        )
    return RequestError(
        f"The endpoint {endpoint_of(address)} refused a request about {path} ({code}).",
        remedy=(
            f"see whether it is an endpoint for {address.scheme}://{SERVICES[address.scheme].hint}."
        ),
    )
