"""A client of the serving API: it builds rows with the model's own `build`, sends them, and looks at what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from pipelines.errors import RequestError, Unreachable
from pipelines.steps.features import build_from, read_raw

if TYPE_CHECKING:
    from pipelines.intervals import Interval
    from pipelines.steps.context import Context

CHUNK = 500
"""Rows in one request."""


@dataclass(frozen=True)
class Answered:
    """A row that was asked about: key, inputs, prediction, and what happened (None where nobody knows)."""

    key: str
    time: Any
    inputs: dict[str, Any]
    prediction: float
    happened: float | None
    version: str


def ask(context: Context, url: str, interval: Interval) -> list[Answered]:
    """Send the interval's rows to the server and return its answers beside what happened."""
    spec = context.spec
    rows = build_from(context, read_raw(context, interval), interval).to_pylist()
    answers: list[Answered] = []
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            inputs = [{name: row[name] for name in spec.features.inputs} for row in part]
            body = _predict(client, spec.name, inputs)
            for row, sent, value in zip(part, inputs, body["predictions"], strict=True):
                known = row[spec.target.column]
                key = "-".join(str(row[k]) for k in spec.key)
                happened = None if known is None else float(known)
                answers.append(Answered(key, row[spec.event_time], sent, float(value), happened, str(body["version"])))
    return answers


def _predict(client: httpx.Client, model: str, rows: list[dict[str, Any]]) -> Any:
    try:
        answer = client.post(f"/models/{model}/predict", json={"rows": rows})
    except httpx.HTTPError as error:
        raise Unreachable(f"The server at {client.base_url} does not answer: {error}.", remedy="make status") from error
    if answer.is_success:
        return answer.json()
    raise RequestError(f"The server refused rows of {model} ({answer.status_code}): {answer.text[:500]}")
