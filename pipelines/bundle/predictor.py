"""Predictors: a packaged model that answers, compiled (ONNX Runtime) or native (scikit-learn from a
skops file).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines.bundle.rows import feed_from_rows, feed_from_values, frame_from_feed
from pipelines.bundle.strangeness import strangeness
from pipelines.bundle.trusted import TRUSTED
from pipelines.collector import paused_collection
from pipelines.errors import BadData, Refused
from pipelines.tasks import answers_probabilities, answers_scores

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pipelines.bundle.rows import Feed, Scalar
    from pipelines.bundle.schema import InputSchema

Answers = np.ndarray[Any, np.dtype[np.float64]]
"""Shape [rows, k]: k = 1 holds the probability of the positive class or the value.

Else one probability per class.
"""


class Predictor(Protocol):
    """A model that answers.

    Calls are safe among threads. Whoever implements it inherits the ways from rows to a feed.
    """

    schema: InputSchema

    def predict_feed(self, feed: Feed) -> Answers:
        """Answer a whole feed at once (see `rows.feed_from_table`); for offline use."""
        ...

    def predict(self, rows: Sequence[Mapping[str, Scalar]]) -> Answers:
        """Answer rows as a caller sends them. Raises BadData naming a column that a row lacks."""
        return self.predict_feed(feed_from_rows(self.schema.columns, rows))

    def predict_values(self, rows: Sequence[Sequence[Any]]) -> Answers:
        """Answer rows given as values in the schema's order."""
        return self.predict_feed(feed_from_values(self.schema.columns, rows))


class OnnxPredictor(Predictor):
    """A compiled model.

    One thread per session: single rows gain nothing from more, and cores are shared.
    """

    def __init__(self, schema: InputSchema, model: bytes) -> None:
        """Load verified bytes.

        Raises BadData where they are no ONNX model or do not fit the schema.
        """
        self.schema = schema
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = (
            4  # what goes wrong comes back as an exception; its own log would repeat inputs
        )
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no common base
            raise BadData(f"The compiled model cannot be loaded: {error}") from error
        self._inputs = [i.name for i in self._session.get_inputs()]
        self._output = output_name(schema)
        unknown = set(self._inputs) - {c.name for c in schema.columns}
        outputs = [o.name for o in self._session.get_outputs()]
        if unknown or self._output not in outputs:
            raise BadData(
                f"The compiled model does not fit its schema: inputs {sorted(unknown)} are unknown,"
                f" or outputs are {outputs}."
            )

    def predict_feed(self, feed: Feed, options: Any = None) -> Answers:
        """Answer a whole feed; the compiled float32 answers are widened without change.

        `options` are ONNX Runtime's own, by which a run that does not end can be ended.
        """
        inputs = {name: feed[name] for name in self._inputs}
        (output,) = self._session.run([self._output], inputs, options)
        return _shape(self.schema, output)


class NativePredictor(Predictor):
    """A scikit-learn pipeline, for models that have no proven compiled form.

    5 ms and more per request.
    """

    def __init__(
        self, schema: InputSchema, model: bytes, trusted: Collection[str] = TRUSTED
    ) -> None:
        """Load verified bytes with the loader's own list of types, or a longer one.

        Raises Refused naming types that are not on it.
        """
        self.schema = schema
        self._pipeline = load_native(model, trusted)

    def predict_feed(self, feed: Feed) -> Answers:
        """Answer a whole feed.

        Raises ValueError where scikit-learn refuses a number that became infinite on the way.
        """
        frame = frame_from_feed(feed)
        if answers_scores(self.schema.task):
            return _shape(self.schema, strangeness(self._pipeline, frame))
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # what overflows comes back as no finite answer, or as that error
            if answers_probabilities(self.schema.task):
                return _shape(self.schema, self._pipeline.predict_proba(frame))
            return _shape(self.schema, np.asarray(self._pipeline.predict(frame)))


def output_name(schema: InputSchema) -> str:
    """Return what a compiled model calls the output that holds its answers."""
    return "probabilities" if answers_probabilities(schema.task) else "variable"


def load_native(model: bytes, trusted: Collection[str] = TRUSTED) -> Any:
    """Return the fitted pipeline of a verified skops file.

    Raises Refused naming types that are not on the loader's list, BadData for a broken file.
    """
    with paused_collection():
        from skops import io
        from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return io.loads(model, trusted=sorted(trusted))
    except UntrustedTypesFoundException as error:
        raise Refused(f"The model holds types that are not trusted: {error}") from error
    except Exception as error:  # a broken file fails as zip, JSON, key or type error
        raise BadData(f"The model cannot be loaded: {type(error).__name__}: {error}") from error


def _shape(schema: InputSchema, output: np.ndarray[Any, Any]) -> Answers:
    """Return [rows, k] float64 of a model's output.

    Raises BadData where the output has another form.
    """
    wide = output.astype(np.float64)
    if schema.width == 1 and not answers_probabilities(schema.task):
        return wide.reshape(-1, 1)
    width = 2 if schema.task == "binary" else schema.width
    if wide.ndim != 2 or wide.shape[1] != width:  # noqa: PLR2004 -- rows and classes
        what = "probabilities" if answers_probabilities(schema.task) else "quantiles"
        raise BadData(f"The model gives {what} of shape {wide.shape}, not [rows, {width}].")
    return wide[:, 1:2] if schema.task == "binary" else wide
