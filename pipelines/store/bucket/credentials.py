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
from pipelines.settings import PREFIX

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


def read_credentials(file: Path, scheme: str = "s3") -> Credentials | None:
    """Return the key that a file of a service holds.

    Of S3 and Azure it has AWS's form, and the profile `default` or `AWS_PROFILE` counts; of Google
    it is a service account's. None for a person's login at Google, which is no key.

    Raises RequestError, without a word of what the file holds, where there is none or where others
    can read it.
    """
    text = _read(file, "a service account's JSON" if scheme == "gs" else _form(scheme))
    return _of_google(file, text) if scheme == "gs" else _of_profile(file, text, scheme)


def _read(file: Path, form: str) -> str:
    try:
        if stat.S_IMODE(file.stat().st_mode) & OTHERS:
            raise RequestError(
                f"{_setting(file)}: others can read the file.", remedy=f"chmod 600 {file}"
            )
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error, form) from None


def _of_profile(file: Path, text: str, scheme: str) -> Credentials:
    names = _KEY_NAMES[scheme]
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _unreadable(file, error, _form(scheme)) from None
    profile = os.environ.get("AWS_PROFILE") or "default"
    section = parser[profile] if parser.has_section(profile) else {}
    found = [section.get(name, "") for name in names]
    if not all(found):
        raise RequestError(
            f"{_setting(file)} holds no {' with '.join(names)} for the profile {profile}.",
            remedy="add it below a line with the profile's name in brackets.",
        )
    token = section.get("aws_session_token") if scheme == "s3" else None
    return Credentials(found[0] if len(found) > 1 else "", found[-1], token or None)


def _of_google(file: Path, text: str) -> Credentials | None:
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise _unreadable(file, error, "a service account's JSON") from None
    held = found if isinstance(found, dict) else {}
    if held.get("type") == _LOGIN:
        return None
    if held.get("type") != "service_account" or not all(
        isinstance(held.get(name), str) and held[name] for name in _GOOGLE_NAMES
    ):
        raise RequestError(
            f"{_setting(file)} is no service account's file: type service_account with"
            f" {', '.join(_GOOGLE_NAMES)}.",
            remedy=(
                "make one (`gcloud iam service-accounts keys create`); on a machine or in a pod of"
                " Google's leave the file out: its own identity counts."
            ),
        )
    return Credentials(held["client_email"], text)


def _form(scheme: str) -> str:
    return f"a file of AWS's form: [default], {_KEY_NAMES[scheme][0]} = …"


def _setting(file: Path) -> str:
    return f"{PREFIX}STORE_CREDENTIALS={file}"


def _unreadable(file: Path, error: Exception, form: str) -> RequestError:
    return RequestError(
        f"{_setting(file)} cannot be read ({type(error).__name__}).", remedy=f"it must be {form}"
    )
