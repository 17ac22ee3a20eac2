"""The text of a lock: packages with versions and hashes, as `uv pip compile` writes it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipelines.errors import GiveUp
from pipelines.refs import sha256

LOCK = Path(__file__).resolve().parents[2] / "requirements.txt"
"""Perennial's own lock, of which an environment changes nothing."""

_PACKAGE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?==[^\n\\]+", re.MULTILINE)


def packages(text: str) -> dict[str, str]:
    """Return the versions in a lock by the packages' canonical names.

    Entries for another Python or platform are left out.
    """
    entries = (Requirement(line.strip()) for line in _PACKAGE.findall(text))
    return {
        canonicalize_name(entry.name): str(entry.specifier).removeprefix("==")
        for entry in entries
        if entry.marker is None or entry.marker.evaluate()
    }


def only(text: str, names: set[str]) -> str:
    """Return the entries of a lock that are about these packages, with their hashes."""
    starts = [match.start() for match in _PACKAGE.finditer(text)]
    entries = [text[i:j] for i, j in zip(starts, [*starts[1:], len(text)], strict=True)]
    return "".join(entry for entry in entries if packages(entry).keys() & names)


@cache
def base_lock() -> tuple[str, dict[str, str]]:
    """Return the hash of Perennial's lock and the versions in it. Raises GiveUp."""
    try:
        text = LOCK.read_text(encoding="utf-8")
    except OSError as error:
        raise GiveUp(
            f"{LOCK} cannot be read: {error.strerror}.", remedy="restore the checkout."
        ) from error
    return sha256(text.encode()), packages(text)
