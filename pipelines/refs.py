"""The small values that travel: closed and frozen models, references, and their canonical JSON."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

if TYPE_CHECKING:
    from pathlib import Path

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


def _inside(uri: str) -> str:
    if ".." in uri.split("/") or uri.startswith("/") or "\x00" in uri or "\\" in uri:
        msg = f"{uri!r} leaves its store"
        raise ValueError(msg)
    return uri


class Value(BaseModel):
    """A frozen, closed value: an unknown key or a wrong type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Ref(Value):
    """A reference to immutable bytes in the store.

    `uri` relative to the store, `sha256` of the content.
    """

    uri: Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_inside)]
    sha256: Sha256


class FeaturesVersion(Value):
    """A features version: a git revision, and the hash over all its files."""

    revision: str
    sha256: Sha256


def canonical(value: object) -> bytes:
    """Return the one JSON text of a JSON-like value or `Value`.

    Sorted keys, no spaces, NaN refused.
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of the bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, read part by part."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*parts: object) -> str:
    """Return the SHA-256 of the parts' canonical JSON: the key of a step's inputs."""
    return sha256(
        canonical([p.model_dump(mode="json") if isinstance(p, BaseModel) else p for p in parts])
    )
