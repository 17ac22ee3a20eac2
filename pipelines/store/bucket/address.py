"""Where a bucket is, and with which credentials and which encryption it is written to.

A bucket is one of S3 (s3://bucket/prefix) or of Google (gs://bucket/prefix), or a container of
Azure (az://container/prefix).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit

from pipelines.errors import RequestError
from pipelines.settings import PREFIX, scheme_of, without_password
from pipelines.store.bucket.credentials import read_credentials

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings
    from pipelines.store.bucket.credentials import Credentials

Scheme = Literal["s3", "az", "gs"]
_SCHEMES: Final[dict[str, Scheme]] = {"az": "az", "gs": "gs"}

ARTIFACTS = "mlflow"
"""The folder of MLflow's artifacts below the store's prefix."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ =@+-]*")


@dataclass(frozen=True)
class BucketAddress:
    """A bucket, a folder in it, and how to reach it.

    `prefix` has no slash at its ends. An empty `endpoint` is the service's own. `account` is that
    of Azure, which no other bucket has. `ca` is a file with the certificates that the endpoint's
    is checked against; None takes those of the system. A `credentials_file` without `credentials`
    is a person's login. `credentials_variable` and `ca_variable` name the variables that the files
    were read from.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    credentials: Credentials | None = None
    credentials_file: Path | None = None
    credentials_variable: str = f"{PREFIX}STORE_CREDENTIALS"
    encryption: str = ""
    kms_key: str = ""
    ca: Path | None = None
    ca_variable: str = f"{PREFIX}STORE_CA"
    retry_seconds: float = 60.0
    scheme: Scheme = "s3"
    account: str = ""

    @property
    def url(self) -> str:
        """The bucket's URL, without any secret."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")

    def below(self, folder: str) -> str:
        """Return the URL of a folder below the prefix."""
        return f"{self.url}/{folder}"

    def arn(self, path: str = "") -> str:
        """Return how a policy names what lies at a path below the prefix; the bucket without."""
        name = f"arn:aws:s3:::{self.bucket}"
        return f"{name}/{self.prefix}/{path}".replace("//", "/") if path else name


def bucket_address(url: str, settings: Settings) -> BucketAddress:
    """Return the address that a bucket's URL and the settings name; nothing is asked yet.

    Raises RequestError for a URL that names no bucket, for a file of credentials that cannot be
    read or that others can read, and for settings that the service does not know or lacks.
    """
    parts = urlsplit(url)
    scheme = _SCHEMES.get(parts.scheme, "s3")
    prefix = unquote(parts.path).strip("/")
    odd = parts.query or parts.fragment or parts.username or parts.password or parts.port
    odd = odd or ("_" in parts.netloc and scheme != "gs")
    if odd or not _BUCKET.fullmatch(parts.netloc) or not _is_prefix(prefix):
        raise RequestError(
            f"{without_password(url)!r} names no bucket.",
            remedy=(
                f"write it as {scheme}://bucket/prefix: a bucket's name has 3 to 63 small letters,"
                f" digits, dots{', underscores' if scheme == 'gs' else ''} and hyphens; credentials"
                " never stand in it (docs/bucket.md)."
            ),
        )
    file, variable = settings.store_credentials, settings.variable("store_credentials")
    _check_settings(scheme, settings)
    return BucketAddress(
        scheme=scheme,
        account=settings.store_account,
        bucket=parts.netloc,
        prefix=prefix,
        endpoint=settings.store_endpoint.rstrip("/"),
        region=settings.store_region,
        credentials=None if file is None else read_credentials(file, variable, scheme),
        credentials_file=file,
        credentials_variable=variable,
        encryption=settings.store_encryption,
        kms_key=settings.store_kms_key,
        ca=settings.store_ca,
        ca_variable=settings.variable("store_ca"),
        retry_seconds=settings.store_retry_seconds,
    )


def _check_settings(scheme: Scheme, settings: Settings) -> None:
    """Raise RequestError where the settings are not those of the service."""
    if scheme == "az" and not settings.store_account:
        raise RequestError(
            f"{PREFIX}STORE is a container of Azure, and no account is named.",
            remedy=f"set {PREFIX}STORE_ACCOUNT, or AZURE_STORAGE_ACCOUNT_NAME.",
        )
    if scheme != "s3" and (settings.store_encryption or settings.store_kms_key):
        own = "Azure" if scheme == "az" else "Google"
        of = "account" if scheme == "az" else "bucket"
        raise RequestError(
            f"{PREFIX}STORE_ENCRYPTION and {PREFIX}STORE_KMS_KEY are of S3; {own} encrypts what it"
            f" keeps by the {of}'s own settings.",
            remedy="leave both out.",
        )


def artifacts_url(settings: Settings) -> str:
    """Return where MLflow's artifacts lie in the store's bucket; nothing where it is in none.

    MLflow reaches Azure and Google by libraries of theirs alone, which are not installed: there
    artifacts lie where they would lie beside a store in a folder.

    Raises RequestError as `bucket_address`.
    """
    if scheme_of(settings.store) != "s3":
        return ""
    return bucket_address(settings.store, settings).below(ARTIFACTS)


def _is_prefix(prefix: str) -> bool:
    return not prefix or all(_PART.fullmatch(part) for part in prefix.split("/"))
