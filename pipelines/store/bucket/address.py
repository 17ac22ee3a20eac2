"""Where a bucket is, and with which credentials and which encryption it is written to.

A bucket is one of S3 (s3://bucket/prefix) or a container of Azure (az://container/prefix).
"""

from __future__ import annotations

import configparser
import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from pipelines.errors import RequestError
from pipelines.private_files import OTHERS
from pipelines.settings import PREFIX, scheme_of, without_password

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings

ARTIFACTS = "mlflow"
"""The folder of MLflow's artifacts below the store's prefix."""

_KEY_NAMES = {
    "s3": ("aws_access_key_id", "aws_secret_access_key"),
    "az": ("azure_storage_account_key",),
}
"""What a file of credentials must hold."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ =@+-]*")


@dataclass(frozen=True)
class Credentials:
    """An access key, from a file. Without one the environment or the machine's role has it.

    An account's key of Azure has no id.
    """

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class BucketAddress:
    """A bucket, a folder in it, and how to reach it.

    `prefix` has no slash at its ends. An empty `endpoint` is AWS's or Azure's own. `account` is
    that of Azure, which a bucket of S3 has not. `ca` is a file with the
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
    scheme: Literal["s3", "az"] = "s3"
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
    """Return the address that an s3:// or az:// URL and the settings name; nothing is asked yet.

    Raises RequestError for a URL that names no bucket, for a file of credentials that cannot be
    read or that others can read, and for settings that Azure does not know or lacks.
    """
    parts = urlsplit(url)
    scheme: Literal["s3", "az"] = "az" if parts.scheme == "az" else "s3"
    prefix = unquote(parts.path).strip("/")
    odd = parts.query or parts.fragment or parts.username or parts.password or parts.port
    if odd or not _BUCKET.fullmatch(parts.netloc) or not _is_prefix(prefix):
        raise RequestError(
            f"{without_password(url)!r} names no bucket.",
            remedy=(
                f"write it as {scheme}://bucket/prefix: a bucket's name has 3 to 63 small letters,"
                " digits, dots and hyphens; credentials never stand in it (docs/bucket.md)."
            ),
        )
    file = settings.store_credentials
    if scheme == "az":
        _check_azure(settings)
    return BucketAddress(
        scheme=scheme,
        account=settings.store_account,
        bucket=parts.netloc,
        prefix=prefix,
        endpoint=settings.store_endpoint.rstrip("/"),
        region=settings.store_region,
        credentials=None if file is None else read_credentials(file, scheme),
        credentials_file=file,
        encryption=settings.store_encryption,
        kms_key=settings.store_kms_key,
        ca=settings.store_ca,
        retry_seconds=settings.store_retry_seconds,
    )


def _check_azure(settings: Settings) -> None:
    """Raise RequestError where the settings are not those of a container of Azure."""
    if not settings.store_account:
        raise RequestError(
            f"{PREFIX}STORE is a container of Azure, and no account is named.",
            remedy=f"set {PREFIX}STORE_ACCOUNT, or AZURE_STORAGE_ACCOUNT_NAME.",
        )
    if settings.store_encryption or settings.store_kms_key:
        raise RequestError(
            f"{PREFIX}STORE_ENCRYPTION and {PREFIX}STORE_KMS_KEY are of S3; Azure encrypts what it"
            " keeps by the account's own settings.",
            remedy="leave both out.",
        )


def artifacts_url(settings: Settings) -> str:
    """Return where MLflow's artifacts lie in the store's bucket; nothing where it is in none.

    MLflow reaches Azure by a library of Azure's alone, which is not installed: there they lie
    where they would lie beside a store in a folder.

    Raises RequestError as `bucket_address`.
    """
    if scheme_of(settings.store) != "s3":
        return ""
    return bucket_address(settings.store, settings).below(ARTIFACTS)


def read_credentials(file: Path, scheme: str = "s3") -> Credentials:
    """Return the key in a file of AWS's form, of the profile `default` or `AWS_PROFILE`.

    Of Azure it holds `azure_storage_account_key`.

    Raises RequestError, without a word of what the file holds, where there is none or where others
    can read it.
    """
    names = _KEY_NAMES[scheme]
    setting = f"{PREFIX}STORE_CREDENTIALS={file}"
    try:
        if stat.S_IMODE(file.stat().st_mode) & OTHERS:
            raise RequestError(f"{setting}: others can read the file.", remedy=f"chmod 600 {file}")
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise RequestError(
            f"{setting} cannot be read ({type(error).__name__}).",
            remedy=f"it must be a file of AWS's form: [default], {names[0]} = …",
        ) from None
    profile = os.environ.get("AWS_PROFILE") or "default"
    section = parser[profile] if parser.has_section(profile) else {}
    found = [section.get(name, "") for name in names]
    if not all(found):
        raise RequestError(
            f"{setting} holds no {' with '.join(names)} for the profile {profile}.",
            remedy="add it below a line with the profile's name in brackets.",
        )
    token = section.get("aws_session_token") if scheme == "s3" else None
    return Credentials(found[0] if len(found) > 1 else "", found[-1], token or None)


def _is_prefix(prefix: str) -> bool:
    return not prefix or all(_PART.fullmatch(part) for part in prefix.split("/"))
