"""The secrets of the composed stack.

`make secrets` writes them into .env, which `docker compose` reads by itself.

Made once, at random, readable by their owner alone. What stands in the file is never changed, but
for the key that signs bundles when a new one is asked for; what is missing is added. A file
elsewhere than in .env (`docker compose --env-file`) names itself: by that name compose looks
whether others may read it. This needs nothing but Python, so that a server which only runs
containers needs no environment of ours.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import secrets
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path(__file__).resolve().parents[1] / ".env"
PRIVATE = 0o600
HEADER = (
    "# Secrets of the composed stack, made by `make secrets`. Whoever reads them is its"
    " administrator; keep a copy where it is safe.\n"
)
ITSELF = "PERENNIAL_SECRETS_FILE"
SIGNING = "PERENNIAL_SECRET_SIGNING"
NOTHING = re.compile(r"""(''|"")?\s*(#.*)?""")
"""What a name is set to where it is not set: compose takes a comment for none, too."""

NAME = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def _password() -> str:
    return secrets.token_urlsafe(24)


def _fernet() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


SECRETS: dict[str, Callable[[], str]] = {
    "PERENNIAL_SECRET_POSTGRES": _password,  # PostgreSQL's administrator
    "PERENNIAL_SECRET_POSTGRES_AIRFLOW": _password,  # and the roles of the three databases
    "PERENNIAL_SECRET_POSTGRES_LEDGER": _password,
    "PERENNIAL_SECRET_POSTGRES_MLFLOW": _password,
    "PERENNIAL_SECRET_AIRFLOW": _password,  # Airflow's user `admin`
    "PERENNIAL_SECRET_AIRFLOW_FERNET": _fernet,
    "PERENNIAL_SECRET_AIRFLOW_JWT": lambda: secrets.token_urlsafe(64),
    "PERENNIAL_SECRET_AIRFLOW_API": lambda: secrets.token_urlsafe(32),
    "PERENNIAL_SECRET_MLFLOW": _password,  # MLflow's user `admin`
    "PERENNIAL_SECRET_MLFLOW_FLASK": lambda: secrets.token_urlsafe(32),
    "PERENNIAL_SECRET_BROKER": _password,
    "PERENNIAL_SECRET_SIGNING": _fernet,  # any 32 bytes are an Ed25519 key
}
"""Each secret's name in the file, and how it is made. All of them are safe in a URL."""


class SecretsError(Exception):
    """The secrets file cannot be used; the text says which command mends it."""


def make(path: Path) -> list[str]:
    """Add to the file what it lacks, and return the names of that.

    Raises SecretsError where others may read the file.
    """
    text = _read(path)
    names = _missing_names(text)
    additions = "".join(f"{name}={SECRETS[name]()}\n" for name in names)
    if not _names_itself(path, text):
        additions += f"{ITSELF}='{path.absolute()}'\n"
    if additions:
        if text and not text.endswith("\n"):
            text += "\n"
        _write(path, (text or HEADER) + additions)
    return names


def renew_signing_key(path: Path) -> None:
    """Put a new key that signs bundles in the place of the present one.

    Raises SecretsError as `check`.
    """
    check(path)
    lines = _read(path).splitlines(keepends=True)
    others = [line for line in lines if not _sets(line.rstrip("\r\n"), SIGNING)]
    text = "".join(others)
    text += "" if text.endswith("\n") else "\n"
    _write(path, f"{text}{SIGNING}={SECRETS[SIGNING]()}\n")


def _sets(line: str, name: str) -> bool:
    match = NAME.fullmatch(line)
    return match is not None and match[1] == name


def check(path: Path) -> None:
    """Raise SecretsError where the file is not there, lacks a secret or its own name, or may be
    read by others.
    """
    text = _read(path)
    names = [*_missing_names(text), *([] if _names_itself(path, text) else [ITSELF])]
    if names:
        raise SecretsError(f"{path} lacks {names[0]}. Run: {_command(path)}")


def _missing_names(text: str) -> list[str]:
    assignments = _read_assignments(text)
    return [name for name in SECRETS if name not in assignments]


def _read_assignments(text: str) -> dict[str, str]:
    """Return what the file sets; the last line of a name counts."""
    matches = [match for line in text.splitlines() if (match := NAME.fullmatch(line))]
    return {
        name: value
        for name, value in {match[1]: match[2] for match in matches}.items()
        if not NOTHING.fullmatch(value)
    }


def _names_itself(path: Path, text: str) -> bool:
    """Tell whether compose finds the file by its default or by the name in it.

    Raises SecretsError where that is another one's.
    """
    own, default = path.resolve(), path.resolve() == FILE.resolve()
    if re.search(r"['\n\r]", str(path.absolute())):
        raise SecretsError(
            f"{path} has a name that no file of settings can say. Choose one without quotes and"
            " line breaks."
        )
    own_name = _read_assignments(text).get(ITSELF)
    if own_name is not None and (FILE.parent / own_name.strip("'\"")).resolve() != own:
        raise SecretsError(
            f"{path} says {ITSELF}={own_name}, which is another file. Remove that line, then run:"
            f" {_command(path)}"
        )
    return default or own_name is not None


def _command(path: Path) -> str:
    return (
        "make secrets"
        if path.resolve() == FILE.resolve()
        else f"python3 -m stack.compose_secrets {path}   (make secrets makes .env)"
    )


def _read(path: Path) -> str:
    """Return what stands in the file, "" where there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISREG(status.st_mode):
        raise SecretsError(f"{path} is no plain file. Remove it, then run: make secrets")
    if status.st_mode & 0o077:
        mode = f"{stat.S_IMODE(status.st_mode):o}"
        raise SecretsError(
            f"Others may read {path} (mode {mode}). Run: chmod 600 {path}   (and make new secrets"
            " if somebody may have)"
        )
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    """Replace the file in one move; it is never there in parts, or readable by others."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w", encoding="utf-8"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def main(arguments: list[str]) -> int:
    """Make or check the file; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m stack.compose_secrets", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; exit 1 where `docker compose` would refuse the file",
    )
    parser.add_argument(
        "--new-signing-key",
        action="store_true",
        help="make a new key that signs bundles; the stack trusts both until the old one retires",
    )
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    options = parser.parse_args(arguments)
    try:
        if options.check:
            check(options.file)
        elif options.new_signing_key:
            renew_signing_key(options.file)
            print(f"{options.file}: a new signing key. Run: docker compose up -d --wait")
        else:
            names = make(options.file)
            print(f"{options.file}: {len(names)} secrets made, {len(SECRETS) - len(names)} kept.")
    except (SecretsError, OSError, UnicodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
