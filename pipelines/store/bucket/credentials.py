"""The key to a bucket, as a file holds it."""

from __future__ import annotations

import configparser
import json
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.errors import RequestError
from pipelines.private_files import OTHERS

if TYPE_CHECKING:
    from pathlib import Path

_KEY_NAMES = {
    "s3": ("aws_access_key_id", "aws_secret_access_key"),
    "az": ("azure_storage_account_key",),
}
"""What a file of AWS's form must hold."""
_GOOGLE_NAMES = ("client_email", "private_key", "private_key_id")
"""What a service account's file must hold."""
_LOGIN = "authorized_user"
"""The type of a person's file of Google's, which `gcloud auth application-default login` makes."""


@dataclass(frozen=True)
class Credentials:
    """A key, from a file. Without one the environment or the machine's role has it.

    An account's key of Azure has no id. A service account of Google is told by its address; its
    secret is the whole file.
    """

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def read_credentials(file: Path, variable: str, scheme: str = "s3") -> Credentials | None:
    """Return the key that a file of a service holds, which a variable names.

    Of S3 and Azure it has AWS's form, and the profile `default` or `AWS_PROFILE` counts; of Google
    it is a service account's. None for a person's login at Google, which is no key.

    Raises RequestError, without a word of what the file holds, where there is none or where others
    can read it.
    """
    named = f"{variable}={file}"
    form = "a service account's JSON" if scheme == "gs" else _form(scheme)
    text = _read(file, named, form)
    return _of_google(named, text, form) if scheme == "gs" else _of_profile(named, text, scheme)


def _read(file: Path, named: str, form: str) -> str:
    try:
        if stat.S_IMODE(file.stat().st_mode) & OTHERS:
            raise RequestError(f"{named}: others can read the file.", remedy=f"chmod 600 {file}")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(named, error, form) from None


def _of_profile(named: str, text: str, scheme: str) -> Credentials:
    names = _KEY_NAMES[scheme]
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _unreadable(named, error, _form(scheme)) from None
    profile = os.environ.get("AWS_PROFILE") or "default"
    section = parser[profile] if parser.has_section(profile) else {}
    found = [section.get(name, "") for name in names]
    if not all(found):
        raise RequestError(
            f"{named} holds no {' with '.join(names)} for the profile {profile}.",
            remedy="add it below a line with the profile's name in brackets.",
        )
    token = section.get("aws_session_token") if scheme == "s3" else None
    return Credentials(found[0] if len(found) > 1 else "", found[-1], token or None)


def _of_google(named: str, text: str, form: str) -> Credentials | None:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(named, error, form) from None
    held = found if isinstance(found, dict) else {}
    if held.get("type") == _LOGIN:
        return None
    if held.get("type") != "service_account" or not all(
        isinstance(held.get(name), str) and held[name] for name in _GOOGLE_NAMES
    ):
        raise RequestError(
            f"{named} is no service account's file: type service_account with"
            f" {', '.join(_GOOGLE_NAMES)}.",
            remedy=(
                "make one (`gcloud iam service-accounts keys create`); on a machine or in a pod of"
                " Google's leave the file out: its own identity counts."
            ),
        )
    return Credentials(held["client_email"], text)


def _form(scheme: str) -> str:
    return f"a file of AWS's form: [default], {_KEY_NAMES[scheme][0]} = …"


def _unreadable(named: str, error: Exception, form: str) -> RequestError:
    return RequestError(
        f"{named} cannot be read ({type(error).__name__}).", remedy=f"it must be {form}"
    )
