"""A client of the serving API.

It builds rows with the model's own `build`, asks for predictions, and sends the labels later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from pipelines.data.feature_rows import build_from, read_raw
from pipelines.errors import RequestError, Unreachable
from pipelines.inference_log.format import key_text
from pipelines.intervals import iso
from pipelines.training.targets import targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.intervals import Interval

CHUNK = 1_000
"""Rows in one request."""


@dataclass(frozen=True)
class Answers:
    """What the server answered to one interval's rows: `predictions` are (n,), or (n, k) by class.

    `versions` are those that answered.
    """

    rows: pa.Table
    predictions: np.ndarray[Any, Any]
    versions: list[str]
    classes: list[str] | None

    def filter_labelled(self, context: Context) -> tuple[Any, Any, Any]:
        """Return the rows whose outcome is known one day, as table, outcomes and predictions."""
        mask = _has_label(self.rows, context.spec.target.column)
        table = self.rows.filter(mask)
        return (
            table,
            targets(table, context.spec, self.classes),
            self.predictions[mask.to_numpy(zero_copy_only=False)],
        )


@dataclass
class Client:
    """Speaks to the server; `waiting` are rows whose outcome nobody knew when labels were sent."""

    context: Context
    url: str
    waiting: list[pa.Table] = field(default_factory=list)

    def rows(self, interval: Interval) -> pa.Table:
        """Return the interval's built rows."""
        return build_from(self.context, read_raw(self.context, interval), interval)

    def predict(self, rows: pa.Table, progress: Callable[[int], None]) -> Answers:
        """Send the rows with their keys and event times, and return the answers.

        `progress(n)` is called as they come.
        """
        spec = self.context.spec
        predictions: list[Any] = []
        versions: set[str] = set()
        with self._open_client() as client:
            for part in _chunks(rows):
                body = {
                    "rows": part.select(list(spec.inputs)).to_pylist(),
                    "keys": self._keys(part),
                    "event_times": [iso(moment) for moment in part[spec.event_time].to_pylist()],
                }
                answer = self._post(client, "predict", body)
                predictions += answer["predictions"]
                versions.add(str(answer["version"]))
                progress(len(predictions))
        self.waiting.append(rows)
        return _answers(rows, predictions, sorted(versions, key=int))

    def send_labels(self, until: datetime) -> int:
        """Send every outcome that is known by then and was not sent before.

        Return how many the server took.
        """
        spec = self.context.spec
        accepted = 0
        rest: list[pa.Table] = []
        with self._open_client() as client:
            for table in self.waiting:
                rows = table.filter(_has_label(table, spec.target.column))
                is_known = np.array(
                    [
                        moment + spec.target.known_after <= until
                        for moment in rows[spec.event_time].to_pylist()
                    ],
                    dtype=bool,
                )
                for part in _chunks(rows.filter(is_known)):
                    labels = part[spec.target.column].to_pylist()
                    body = [
                        {"key": key, "label": label}
                        for key, label in zip(self._keys(part), labels, strict=True)
                    ]
                    accepted += self._post(client, "feedback", {"labels": body})["accepted"]
                rest.append(rows.filter(~is_known))
        self.waiting = [table for table in rest if table.num_rows]
        return accepted

    def _keys(self, rows: pa.Table) -> list[str]:
        columns = [rows[name].to_pylist() for name in self.context.spec.key]
        return [key_text(values) for values in zip(*columns, strict=True)]

    def _open_client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def _post(self, client: httpx.Client, action: str, body: dict[str, Any]) -> Any:
        model = self.context.spec.name
        try:
            answer = client.post(f"/models/{model}/{action}", json=body)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"The server at {self.url} does not answer: {error}.", remedy="make status"
            ) from error
        if answer.is_success:
            return answer.json()
        raise RequestError(
            f"The server refused to {action} ({answer.status_code}): {answer.text[:500]}"
        )


def _answers(rows: pa.Table, predictions: list[Any], versions: list[str]) -> Answers:
    if predictions and isinstance(predictions[0], dict):
        classes = list(predictions[0]["probabilities"])
        return Answers(
            rows,
            np.array([list(p["probabilities"].values()) for p in predictions]),
            versions,
            classes,
        )
    return Answers(rows, np.array(predictions, dtype=np.float64), versions, None)


def _chunks(rows: pa.Table) -> Iterator[pa.Table]:
    return (rows.slice(start, CHUNK) for start in range(0, rows.num_rows, CHUNK))


def _has_label(rows: pa.Table, column: str) -> Any:
    return rows[column].is_valid().combine_chunks()
