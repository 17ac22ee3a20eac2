"""What differs between the services that buckets are kept by: how they are opened, and their words.

Everything else (conditional puts, retries, the cache, the layout) is one for all of them. Another
service is one more `Service` here.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pipelines.errors import RequestError
from pipelines.settings import keys_in, service_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from obstore.store import AzureStore, GCSStore, S3Store

    from pipelines.store.bucket.address import BucketAddress

Right = Literal["read", "write", "remove", "list"]
"""What a request needs to be allowed to do."""

CONNECT_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 30.0
"""How long nothing may come before a request counts as broken off."""
FIRST_WAIT: Final = 0.1
"""Seconds before the first further try."""


@dataclass(frozen=True)
class Service:
    """One kind of service.

    `missing` are its codes for a bucket that is not there, `keys` for credentials that are not
    taken, `denied` for a right that is missing. `own` is its own endpoint, in words; `hint` what
    may be wrong with the settings where it refuses a request.
    """

    open: Callable[[BucketAddress], S3Store | AzureStore | GCSStore]
    bucket: str
    missing: frozenset[str]
    keys: frozenset[str]
    denied: frozenset[str]
    rights: dict[Right, str]
    key_settings: str
    how_to_allow: Callable[[BucketAddress, Right], str]
    own: Callable[[BucketAddress], str]
    hint: str = ""


def endpoint_of(address: BucketAddress) -> str:
    """Return where a bucket is asked: its endpoint's URL, or its service in words."""
    return address.endpoint or SERVICES[address.scheme].own(address)


def name_key(address: BucketAddress) -> str:
    """Return what the key was read from, in words; what it can be read from where there is none."""
    if address.credentials_file is not None:
        return f"{address.credentials_variable}={address.credentials_file}"
    found = keys_in(os.environ, service_of(address.url))
    return ", ".join(found) or SERVICES[address.scheme].key_settings


def _allow_s3(address: BucketAddress, right: Right) -> str:
    resource = address.arn() if right == "list" else address.arn("*")
    key = f", and the use of the KMS key {address.kms_key}" if address.kms_key else ""
    return (
        f"allow {SERVICES['s3'].rights[right]} on {resource}{key} (docs/bucket.md has the whole"
        " policy)."
    )


def _allow_azure(address: BucketAddress, _: Right) -> str:
    return (
        "give this identity the role Storage Blob Data Contributor on the container"
        f" {address.bucket} of {address.account}; or correct the key: {name_key(address)}."
    )


def _allow_google(address: BucketAddress, _: Right) -> str:
    who = address.credentials.key_id if address.credentials is not None else "this identity"
    return (
        f"give {who} the role roles/storage.objectUser on gs://{address.bucket} (docs/bucket.md)."
    )


def _open_s3(address: BucketAddress) -> S3Store:
    from obstore.store import S3Store

    config: dict[str, Any] = {"region": address.region, "conditional_put": "etag"}
    if address.endpoint:
        config |= {"endpoint": address.endpoint, "virtual_hosted_style_request": False}
    if address.credentials is not None:
        config |= {
            "access_key_id": address.credentials.key_id,
            "secret_access_key": address.credentials.secret,
        }
        if address.credentials.token:
            config["session_token"] = address.credentials.token
    if address.encryption:
        config["server_side_encryption"] = address.encryption
    if address.kms_key:
        config["sse_kms_key_id"] = address.kms_key
    return S3Store(address.bucket, prefix=address.prefix or None, **_manners(address), **config)


def _open_azure(address: BucketAddress) -> AzureStore:
    from obstore.exceptions import BaseError
    from obstore.store import AzureStore

    config: dict[str, Any] = {"account_name": address.account}
    if address.endpoint:
        config["endpoint"] = address.endpoint
    if address.credentials is not None:
        config["account_key"] = address.credentials.secret
    try:
        return AzureStore(
            address.bucket, prefix=address.prefix or None, **_manners(address), **config
        )
    except (BaseError, ValueError):
        # Not a word of it: it may show the key.
        raise RequestError(
            f"The account {address.account} of {address.url} cannot be used as it is set.",
            remedy=f"an account's key is written in base64: {name_key(address)}.",
        ) from None


def _open_google(address: BucketAddress) -> GCSStore:
    from obstore.exceptions import BaseError
    from obstore.store import GCSStore

    config: dict[str, Any] = {}
    if address.endpoint:
        config["base_url"] = address.endpoint
    if address.credentials is not None:
        config["service_account_key"] = address.credentials.secret
    elif address.credentials_file is not None:
        config["application_credentials"] = str(address.credentials_file)
    try:
        return GCSStore(
            address.bucket, prefix=address.prefix or None, **_manners(address), **config
        )
    except (BaseError, ValueError):
        # Not a word of it: it may show the key.
        raise RequestError(
            f"The key to {address.url} cannot be used as it is set.",
            remedy=f"let it hold a whole service account's key, as JSON: {name_key(address)}.",
        ) from None


def _manners(address: BucketAddress) -> dict[str, Any]:
    """Return how requests are tried again, and how long one may take."""
    options: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=SILENCE_SECONDS),
        "timeout": timedelta(seconds=600),  # of one request: a part of an upload, a download
        "allow_http": address.endpoint.startswith("http://"),
    }
    if address.ca is not None:
        options["root_certificate"] = _read_certificates(address.ca, address.ca_variable)
    return {
        "client_options": options,
        "retry_config": {
            "max_retries": 2,
            "retry_timeout": timedelta(seconds=min(10.0, address.retry_seconds)),
            "backoff": {
                "init_backoff": timedelta(seconds=FIRST_WAIT),
                "max_backoff": timedelta(seconds=1),
                "base": 2,
            },
        },
    }


def _read_certificates(file: Path, variable: str) -> bytes:
    """Return a file's certificates. Raises RequestError, naming the variable, where none are."""
    try:
        data = file.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode("ascii"))
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise RequestError(
            f"{variable}={file}: no certificates can be read from it ({type(error).__name__}).",
            remedy="name a file of certificates in PEM form that this user may read.",
        ) from None
    return data


SERVICES: Final[dict[str, Service]] = {
    "s3": Service(
        open=_open_s3,
        bucket="bucket",
        missing=frozenset({"NoSuchBucket"}),
        keys=frozenset(
            {
                "InvalidAccessKeyId",
                "SignatureDoesNotMatch",
                "ExpiredToken",
                "InvalidToken",
                "TokenRefreshRequired",
                "InvalidSecurity",
            }
        ),
        denied=frozenset({"AccessDenied"}),
        rights={
            "read": "s3:GetObject",
            "write": "s3:PutObject",
            "remove": "s3:DeleteObject",
            "list": "s3:ListBucket",
        },
        key_settings=(
            "PERENNIAL_STORE_CREDENTIALS, AWS_SHARED_CREDENTIALS_FILE, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY"
        ),
        how_to_allow=_allow_s3,
        own=lambda address: f"AWS ({address.region})",
        hint=(
            ", whether PERENNIAL_STORE_REGION is right, and whether it knows"
            " PERENNIAL_STORE_ENCRYPTION"
        ),
    ),
    "az": Service(
        open=_open_azure,
        bucket="container",
        missing=frozenset({"ContainerNotFound"}),
        keys=frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo"}),
        denied=frozenset(
            {
                "AuthorizationFailure",
                "AuthorizationPermissionMismatch",
                "InsufficientAccountPermissions",
            }
        ),
        rights={
            "read": "blobs/read",
            "write": "blobs/write",
            "remove": "blobs/delete",
            "list": "blobs/read",
        },
        key_settings="PERENNIAL_STORE_CREDENTIALS, or AZURE_STORAGE_ACCOUNT_KEY",
        how_to_allow=_allow_azure,
        own=lambda address: f"Azure ({address.account})",
    ),
    "gs": Service(
        open=_open_google,
        bucket="bucket",
        missing=frozenset({"NoSuchBucket"}),
        keys=frozenset(
            {
                "AuthenticationRequired",
                "InvalidSecurity",
                "ExpiredToken",
                "SignatureDoesNotMatch",
            }
        ),
        denied=frozenset({"AccessDenied"}),
        rights={
            "read": "storage.objects.get",
            "write": "storage.objects.create (or storage.objects.delete, to write over one)",
            "remove": "storage.objects.delete",
            "list": "storage.objects.list",
        },
        key_settings=(
            "PERENNIAL_STORE_CREDENTIALS, GOOGLE_APPLICATION_CREDENTIALS or"
            " GOOGLE_SERVICE_ACCOUNT_KEY"
        ),
        how_to_allow=_allow_google,
        own=lambda _: "Google",
    ),
}
"""The services, by their URL's scheme."""
