"""What MLflow, its database and its artifact folder raise, as named errors."""

from __future__ import annotations

import contextlib
import errno
import re
from typing import TYPE_CHECKING

from pipelines.errors import Conflict, PerennialError, RequestError, StorageFull, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

_USER = re.compile(r"//[^/@\s]+@")
"""The user and password of a URL, which no message may show."""

_UNKNOWN = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ENDPOINT_NOT_FOUND"}
_REFUSED = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
_TAKEN = {"RESOURCE_ALREADY_EXISTS", "RESOURCE_CONFLICT", "ABORTED", "INVALID_STATE"}


@contextlib.contextmanager
def mlflow_border(name: str) -> Iterator[None]:
    """Raise RequestError, Conflict, StorageFull or Unreachable, saying which MLflow."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        raise _named(name, str(error.error_code), error.message) from error
    except SQLAlchemyError as error:
        raise _named(name, "", str(error)) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            message = f"No space is left for the artifacts of {name}."
            raise StorageFull(message, remedy="free space there, then run again.") from error
        raise _named(name, "", str(error)) from error


def _named(name: str, code: str, text: str) -> PerennialError:
    text = _USER.sub("//", text.strip().split("\n")[0])[:500]
    if code in _UNKNOWN | _REFUSED:
        return RequestError(f"{name} refused: {text}")
    if code in _TAKEN:
        return Conflict(f"{name} refused: {text}")
    if "disk is full" in text or "No space left" in text:
        return StorageFull(f"No space is left for {name}.", remedy="free space there, then run again.")
    return Unreachable(f"{name} does not answer: {text}", remedy="check that it runs, then run again.")
