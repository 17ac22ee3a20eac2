"""An own pipeline as scikit-learn sees it: its fits and answers are made in another process."""

from __future__ import annotations

import warnings
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator

from pipelines.bundle.feed_tables import array_of_table, table_of_bytes, table_of_feed
from pipelines.tasks import learns_nothing
from pipelines.training.own.candidates import dump_candidate

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate
    from pipelines.training.own.process import CodeProcess

    Array = np.ndarray[Any, Any]


class OwnEstimator(BaseEstimator):  # type: ignore[misc]
    """What a model's function makes, or a candidate of a required package with its encoding.

    With parameters by their names in the spec.
    """

    def __init__(
        self, process: CodeProcess, candidate: Candidate, schema: InputSchema, seed: int
    ) -> None:
        """Remember where it is made and what its function is told; nothing is asked yet."""
        self._process, self._candidate, self._schema, self._seed = process, candidate, schema, seed
        self._settings: dict[str, Any] = {}
        self.number: int | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 -- theirs
        """Return the parameters that were set."""
        del deep
        return dict(self._settings)

    def set_params(self, **params: Any) -> OwnEstimator:
        """Set parameters of what is made."""
        self._settings.update(params)
        return self

    def __sklearn_clone__(self) -> OwnEstimator:
        """Return an unfitted copy."""
        return OwnEstimator(self._process, self._candidate, self._schema, self._seed).set_params(
            **self._settings
        )

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether it was fitted."""
        return self.number is not None

    def defaults(self) -> dict[str, Any]:
        """Return the nested parameters of what the function makes, and of a required package's
        candidate those that are searched; None where one is no plain value.
        """
        header, _ = self._process.ask(self._candidate.name, self._request("make"), {})
        return dict(header["parameters"])

    def fit(
        self, inputs: pd.DataFrame, y: Array, sample_weight: Array | None = None
    ) -> OwnEstimator:
        """Fit in the other process. Raises SpecError naming file and line."""
        if learns_nothing(self._schema.task):
            y = np.zeros(len(y))
        number = self._process.number()
        request = {**self._request("fit"), "settings": self._settings, "model": number}
        tables = {"x": _table(inputs), "y": pa.table({"y": pa.array(np.asarray(y))})}
        if sample_weight is not None:
            tables["w"] = pa.table({"w": pa.array(np.asarray(sample_weight, dtype=np.float64))})
        header, _ = self._process.ask(self._candidate.name, request, tables)
        self._keep_number(number, header["classes"])
        for text in header["warnings"]:
            warnings.warn(text, stacklevel=2)
        return self

    def load(self, stored: bytes) -> OwnEstimator:
        """Take a model that was fitted and stored before.

        Raises SpecError, or Refused naming types that are not trusted.
        """
        number = self._process.number()
        request = {**self._request("load"), "model": number}
        tables = {"model": table_of_bytes(stored)}
        header, _ = self._process.ask(self._candidate.name, request, tables)
        self._keep_number(number, header["classes"])
        return self

    def _keep_number(self, number: int, classes: list[int] | None) -> None:
        self.number = number
        weakref.finalize(self, self._process.forget, number)
        if classes is not None:
            self.classes_ = np.array(classes, dtype=np.int64)

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels that it answers at; none where it answers with one value or with classes."""
        return tuple(self._schema.levels or ())

    def correct(self, shifts: Array) -> None:
        """Move the answers at the levels by `shifts` (k,)."""
        self.ask({"what": "correct", "shifts": np.asarray(shifts).tolist()}, {})

    def predict(self, inputs: pd.DataFrame) -> Array:
        """Return values (n,), or those at the levels (n, k)."""
        answers = self._ask("predict", inputs)
        return answers if self.levels else answers[:, 0]

    def predict_proba(self, inputs: pd.DataFrame) -> Array:
        """Return probabilities (n, k), in the order of `classes_`."""
        return self._ask("predict_proba", inputs)

    def score_samples(self, inputs: pd.DataFrame) -> Array:
        """Return how usual each row is (n,), greater for what is more so."""
        return self._ask("score_samples", inputs)[:, 0]

    def ask(self, request: dict[str, Any], tables: dict[str, pa.Table]) -> Any:
        """Ask the other process about the fitted model."""
        whole = {**request, "model": self.number}
        return self._process.ask(self._candidate.name, whole, tables)

    @property
    def process(self) -> CodeProcess:
        """Where it lives."""
        return self._process

    def _ask(self, method: str, inputs: pd.DataFrame) -> Array:
        request = {"what": "ask", "method": method, "levels": self.levels}
        _, tables = self.ask(request, {"x": _table(inputs)})
        return array_of_table(tables["answers"])

    def _request(self, what: str) -> dict[str, Any]:
        columns = self._schema.columns
        head = {"what": what, "code": self._process.code.model_dump(mode="json")}
        if self._candidate.pipeline is None:
            return {
                **head,
                "candidate": dump_candidate(self._candidate),
                "schema": self._schema.model_dump(mode="json"),
                "facts": {"seed": self._seed, "task": self._schema.task},
            }
        return {
            **head,
            "function": self._candidate.pipeline.function,
            "levels": self.levels,
            "wanted": [*self._candidate.params, *self._candidate.search],
            "facts": {
                "inputs": [c.name for c in columns],
                "numbers": [c.name for c in columns if c.kind != "string"],
                "texts": [c.name for c in columns if c.kind == "string"],
                "seed": self._seed,
                "task": self._schema.task,
            },
        }


def _table(frame: pd.DataFrame) -> pa.Table:
    return table_of_feed({str(name): frame[[name]].to_numpy() for name in frame.columns})
