"""The small values that travel: closed and frozen models, references, and the record that a step prints."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

if TYPE_CHECKING:
    from collections.abc import Iterable

XCOM_LIMIT = 8_192
"""Bytes that a step's result may have as JSON."""

RECORD = "perennial_record"
"""The key by which a line of output is known as a step's result."""

RECORD_VERSION = 1

ROLLBACK = "rollback:"
"""How the keys of rollbacks begin in the ledger."""

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
    """A reference to immutable bytes in the store: `uri` relative to the store, `sha256` of the content."""

    uri: Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_inside)]
    sha256: Sha256


def canonical(value: object) -> bytes:
    """Return the one JSON text of a JSON-like value or `Value`: sorted keys, no spaces, NaN refused."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of the bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def digest(*parts: object) -> str:
    """Return the SHA-256 of the parts' canonical JSON: the key of a step's inputs."""
    return sha256(canonical([p.model_dump(mode="json") if isinstance(p, BaseModel) else p for p in parts]))


def record_line(step: str, result: Value) -> str:
    """Return the one line by which a step hands over its result (see `last_record`)."""
    body = {RECORD: RECORD_VERSION, "step": step, "result": result.model_dump(mode="json")}
    return canonical(body).decode()


def last_record(lines: Iterable[str], step: str) -> dict[str, Any] | None:
    """Return the result in the last line that *is a record* of this step, or None.

    Containers mix stdout and stderr, and libraries print at interpreter exit; so neither "the last line" nor "all of
    stdout" is the result.
    """
    found: dict[str, Any] | None = None
    for line in lines:
        if RECORD not in line:
            continue
        try:
            body = json.loads(line)
        except ValueError:
            continue
        if isinstance(body, dict) and body.get(RECORD) == RECORD_VERSION and body.get("step") == step:
            result = body.get("result")
            found = result if isinstance(result, dict) else found
    return found


_UNSAFE = re.compile(r"[^A-Za-z0-9_.+:-]")


def safe_id(text: str) -> str:
    """Return `text` as an identifier for keys and file names; what had to be changed is told apart by a hash."""
    clean = _UNSAFE.sub("_", text)[:120]
    return clean if clean == text and not clean.startswith(".") else f"id-{clean.lstrip('.')[:100]}-{sha256(text.encode())[:8]}"


def watch_run(run: str) -> str:
    """Return the name under which a drift run keeps what a retrain run of the same name keeps too: its validation, its MLflow run."""
    return f"drift:{run}"


def rollback_run(run: str) -> str:
    """Return the key under which a rollback is written down: Airflow tells runs apart by DAG, the ledger by key alone."""
    return f"{ROLLBACK}{run}"
