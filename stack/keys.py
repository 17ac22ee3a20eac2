"""The stack's keys and its one password.

Generated once, readable by their owner alone, never printed unasked.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import sys
from typing import TYPE_CHECKING

from pipelines.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USER = "admin"
PASSWORDS = "airflow_passwords.json"
FERNET_KEY = "airflow_fernet_key.txt"
JWT_SECRET = "airflow_jwt_secret.txt"  # noqa: S105 -- a file's name
API_SECRET = "airflow_api_secret.txt"  # noqa: S105 -- a file's name


def make_keys(folder: Path) -> None:
    """Make the folder (mode 700) and whatever key is not there yet (mode 600)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    makers: dict[str, Callable[[], str]] = {
        PASSWORDS: lambda: json.dumps({USER: secrets.token_urlsafe(18)}),
        FERNET_KEY: lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        JWT_SECRET: lambda: secrets.token_urlsafe(64),
        API_SECRET: lambda: secrets.token_urlsafe(32),
    }
    for name, make in makers.items():
        _write_once(folder / name, make)


def print_command(file: Path) -> str:
    """Return the command line that prints a secret's file, as Airflow's `_CMD` settings take it."""
    script = "import sys; print(open(sys.argv[1]).read(), end='')"
    return shlex.join([sys.executable, "-I", "-S", "-c", script, str(file)])


def _write_once(path: Path, make: Callable[[], str]) -> None:
    if path.exists() and path.stat().st_size:
        path.chmod(0o600)
        return
    write_secret(path, make())


def write_secret(path: Path, text: str) -> None:
    """Write a file that its owner alone may read (mode 600), in one move."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def password(folder: Path) -> str:
    """Return the password of `USER`.

    Raises RequestError where there is none yet or it cannot be read.
    """
    path = folder / PASSWORDS
    try:
        return str(json.loads(path.read_text())[USER])
    except (OSError, ValueError, KeyError) as error:
        raise RequestError(
            f"There is no password of {USER!r} in {path}.", remedy="start the stack once: make up."
        ) from error
