"""What MLflow, its database and its artifact folder raise, as named errors."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import sys
from typing import TYPE_CHECKING

from pipelines.collector import paused_collection
from pipelines.errors import (
    Conflict,
    Corrupted,
    Denied,
    PerennialError,
    RequestError,
    StorageFull,
    Unreachable,
)
from pipelines.full_disk import is_full
from pipelines.sqlite import fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_USER = re.compile(r"//[^/@\s]+@")
"""The user and password of a URL, which no message may show."""

_UNKNOWN = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ENDPOINT_NOT_FOUND"}
_REFUSED = {
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "CUSTOMER_UNAUTHORIZED",
}
_DENIED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_BUCKET_CALL = re.compile(r"\((\w+)\) when calling the (\w+) operation")
_TAKEN = {"RESOURCE_ALREADY_EXISTS", "RESOURCE_CONFLICT", "ABORTED", "INVALID_STATE"}

_STRANGE = (
    "out-of-date database schema",
    "Can't locate revision",
    "UndefinedTable",
    "UndefinedColumn",
)
"""What is said of a database that is not this MLflow's: by MLflow, Alembic and PostgreSQL's driver.
"""
_RESTORE = (
    "restore it from a backup (docs/operate.md, Damage); one of another MLflow is upgraded by"
    " `mlflow db upgrade`."
)


@contextlib.contextmanager
def mlflow_border(name: str) -> Iterator[None]:
    """Raise RequestError, Denied, Conflict, StorageFull or Unreachable, saying which MLflow."""
    with paused_collection():
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        text = error.message if isinstance(error, MlflowException) else str(error)
        if _is_damage(error, text):
            raise Corrupted(
                f"The database of {name} is damaged: {_line(text)}", remedy=_RESTORE
            ) from error
        raise _make_error(name, str(getattr(error, "error_code", "")), text) from error
    except _errors_of_buckets() as error:
        raise _make_bucket_error(name, str(error)) from error
    except OSError as error:
        if is_full(error):
            message = f"No space is left for the artifacts of {name}."
            raise StorageFull(message, remedy="free space there, then run again.") from error
        raise _make_error(name, "", str(error)) from error


def _errors_of_buckets() -> tuple[type[BaseException], ...]:
    """Return what AWS's library raises; nothing where MLflow has not loaded it for a bucket."""
    kinds = {
        "botocore.exceptions": ("BotoCoreError", "ClientError"),
        "boto3.exceptions": ("Boto3Error",),
    }
    return tuple(
        getattr(sys.modules[module], name)
        for module, names in kinds.items()
        if module in sys.modules
        for name in names
    )


def _make_bucket_error(name: str, text: str) -> PerennialError:
    found = _BUCKET_CALL.search(text)
    code, call = found.groups() if found else ("", "")
    where = f"The bucket of the artifacts of {name}"
    if code == "NoSuchBucket":
        return RequestError(f"{where} is not there.", remedy="make it (docs/bucket.md).")
    if code in _DENIED:
        return Denied(
            f"{where} denied access: the right s3:{call} is missing, or the key is wrong ({code}).",
            remedy="docs/bucket.md has the whole policy.",
        )
    return Unreachable(
        f"{where} cannot be reached: {_line(text)}",
        remedy="check that it is there, then run again.",
    )


def _is_damage(error: BaseException, text: str) -> bool:
    """Tell whether MLflow's database is damaged or none of MLflow's, rather than in use or away.

    A conflict of two writers is none, and a database server's own words count as they do for
    SQLite.
    """
    from sqlalchemy.exc import IntegrityError

    if isinstance(error, IntegrityError) or isinstance(error.__cause__, IntegrityError):
        return False
    return fault(error) == "damaged" or any(words in text for words in _STRANGE)


def _line(text: str) -> str:
    return _USER.sub("//", text.strip().split("\n")[0])[:500]


def _make_error(name: str, code: str, text: str) -> PerennialError:
    text = _line(text)
    if code in _UNKNOWN | _REFUSED:
        return RequestError(f"{name} refused: {text}")
    if code in _TAKEN:
        return Conflict(f"{name} refused: {text}")
    if is_full(text):
        return StorageFull(
            f"No space is left for {name}.", remedy="free space there, then run again."
        )
    return Unreachable(
        f"{name} does not answer: {text}", remedy="check that it runs, then run again."
    )
