"""Where a bucket is, and with which credentials and which encryption it is written to."""

from __future__ import annotations

import configparser
import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipelines.errors import RequestError
from pipelines.private_files import OTHERS
from pipelines.settings import PREFIX, without_password

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings

ARTIFACTS = "mlflow"
"""The folder of MLflow's artifacts below the store's prefix."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ =@+-]*")


@dataclass(frozen=True)
class Credentials:
    """An access key, from a file. Without one the environment or the machine's role has it."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class BucketAddress:
    """A bucket, a folder in it, and how to reach it.

    `prefix` has no slash at its ends. An empty `endpoint` is AWS's own. `ca` is a file with the
    certificates that the endpoint's is checked against; None takes those of the system.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    credentials: Credentials | None = None
    credentials_file: Path | None = None
    encryption: str = ""
    kms_key: str = ""
    ca: Path | None = None
    retry_seconds: float = 60.0

    @property
    def url(self) -> str:
        """The bucket's URL, without any secret."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def below(self, folder: str) -> str:
        """Return the URL of a folder below the prefix."""
        return f"{self.url}/{folder}"

    def arn(self, path: str = "") -> str:
        """Return how a policy names what lies at a path below the prefix; the bucket without."""
        name = f"arn:aws:s3:::{self.bucket}"
        return f"{name}/{self.prefix}/{path}".replace("//", "/") if path else name


def bucket_address(url: str, settings: Settings) -> BucketAddress:
    """Return the address that an s3:// URL and the settings name; nothing is asked yet.

    Raises RequestError for a URL that names no bucket, and for a file of credentials that cannot
    be read or that others can read.
    """
    parts = urlsplit(url)
    prefix = unquote(parts.path).strip("/")
    odd = parts.query or parts.fragment or parts.username or parts.password or parts.port
    if odd or not _BUCKET.fullmatch(parts.netloc) or not _is_prefix(prefix):
        raise RequestError(
            f"{without_password(url)!r} names no bucket.",
            remedy=(
                "write it as s3://bucket/prefix: a bucket's name has 3 to 63 small letters, digits,"
                " dots and hyphens; credentials never stand in it (docs/bucket.md)."
            ),
        )
    file = settings.store_credentials
    return BucketAddress(
        bucket=parts.netloc,
        prefix=prefix,
        endpoint=settings.store_endpoint.rstrip("/"),
        region=settings.store_region,
        credentials=None if file is None else read_credentials(file),
        credentials_file=file,
        encryption=settings.store_encryption,
        kms_key=settings.store_kms_key,
        ca=settings.store_ca,
        retry_seconds=settings.store_retry_seconds,
    )


def artifacts_url(settings: Settings) -> str:
    """Return where MLflow's artifacts lie in the store's bucket; nothing where it is in none.

    Raises RequestError as `bucket_address`.
    """
    if not settings.has_bucket:
        return ""
    return bucket_address(settings.store, settings).below(ARTIFACTS)


def read_credentials(file: Path) -> Credentials:
    """Return the key in a file of AWS's form, of the profile `default` or `AWS_PROFILE`.

    Raises RequestError, without a word of what the file holds, where there is none or where others
    can read it.
    """
    setting = f"{PREFIX}STORE_CREDENTIALS={file}"
    try:
        if stat.S_IMODE(file.stat().st_mode) & OTHERS:
            raise RequestError(f"{setting}: others can read the file.", remedy=f"chmod 600 {file}")
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise RequestError(
            f"{setting} cannot be read ({type(error).__name__}).",
            remedy="it must be a file of AWS's form: [default], aws_access_key_id = …",
        ) from None
    profile = os.environ.get("AWS_PROFILE") or "default"
    section = parser[profile] if parser.has_section(profile) else {}
    key_id, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    if not key_id or not secret:
        raise RequestError(
            f"{setting} holds no aws_access_key_id with its secret for the profile {profile}.",
            remedy="add both below a line with the profile's name in brackets.",
        )
    return Credentials(key_id, secret, section.get("aws_session_token") or None)


def _is_prefix(prefix: str) -> bool:
    return not prefix or all(_PART.fullmatch(part) for part in prefix.split("/"))
