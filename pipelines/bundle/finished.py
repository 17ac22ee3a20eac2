"""A finished model, which a folder brings as an ONNX file, in the form of a fitted estimator.

It keeps scikit-learn's contract, so that all that is done with a fitted model is done with it: it
is judged, stored, registered, packaged and served as the others are. Only its fit learns nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from pipelines.bundle.schema import InputSchema
from pipelines.tasks import classifies

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.bundle.predictor import OnnxPredictor

    Array = np.ndarray[Any, Any]


class FinishedModel(BaseEstimator):  # type: ignore[misc]
    """Answers by an ONNX model that takes the inputs as `bundle.rows` feeds them."""

    def __init__(self, model: bytes = b"", schema: str = "{}") -> None:
        """Keep the model's bytes, and the input schema as JSON: what skops can store."""
        self.model = model
        self.schema = schema

    def fit(self, inputs: pd.DataFrame | None, y: Array | None = None) -> FinishedModel:
        """Learn nothing. The classes are those that the schema names."""
        del inputs, y
        schema = InputSchema.model_validate_json(self.schema)
        if classifies(schema.task):
            self.classes_ = np.arange(len(schema.classes or [0, 1]))
        return self

    def predict(self, inputs: pd.DataFrame) -> Array:
        """Return the values (n,), those at the levels (n, k), or the likeliest classes (n,)."""
        if hasattr(self, "classes_"):
            best: Array = self.classes_[self.predict_proba(inputs).argmax(axis=1)]
            return best
        answers: Array = self._ask(inputs)
        return answers if self.open().schema.levels else answers[:, 0]

    def predict_proba(self, inputs: pd.DataFrame) -> Array:
        """Return one probability per class (n, k)."""
        answers = self._ask(inputs)
        return np.hstack([1 - answers, answers]) if answers.shape[1] == 1 else answers

    def __sklearn_is_fitted__(self) -> bool:
        """Tell that nothing has to be learnt."""
        return True

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the session: it is made again where it is needed."""
        return {name: value for name, value in vars(self).items() if name != "_predictor"}

    def _ask(self, inputs: pd.DataFrame) -> Array:
        feed = {}
        for name in inputs.columns:
            values = inputs[name].to_numpy()
            kind = object if values.dtype == object else np.float32
            feed[str(name)] = values.astype(kind).reshape(-1, 1)
        return self.open().predict_feed(feed)

    def open(self) -> OnnxPredictor:
        """Return what answers. Raises BadData where the model cannot be loaded."""
        from pipelines.bundle.predictor import OnnxPredictor

        predictor = getattr(self, "_predictor", None)
        if predictor is None:
            schema = InputSchema.model_validate_json(self.schema)
            predictor = self._predictor = OnnxPredictor(schema, self.model)
        return predictor
