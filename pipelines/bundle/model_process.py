"""The process in which a stored model of own code answers.

Its arguments are REQUESTS ANSWERS PARENT LIMITS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.bundle.schema import InputSchema
from pipelines.collector import paused_collection
from pipelines.errors import BadData, Refused
from pipelines.fence.own_code import OwnCode, load_code
from pipelines.fence.program import Limits, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from pipelines.bundle.predictor import NativePredictor
    from pipelines.fence.program import Reply

NUMBERS = "ValueError"
"""The kind of a problem with the numbers of a request, which its rows may explain."""


class ModelProgram:
    """Holds one model. Asked once to `open` it, then to `predict`."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Know none yet."""
        self.code: OwnCode | None = None
        self._paths = paths
        self._predictor: NativePredictor | None = None

    def answer(self, request: Mapping[str, Any], tables: dict[str, pa.Table]) -> Reply:
        """Answer one question."""
        from pipelines.bundle.feed_tables import bytes_of_table, feed_of_table, table_of_array

        if request["what"] == "open":
            self.code = OwnCode.model_validate(request["code"])
            schema = InputSchema.model_validate(request["schema"])
            data = bytes_of_table(tables["model"])
            self._predictor = open_model(schema, data, self.code, self._paths)
            return {}, {}
        if self._predictor is None:
            raise BadData("No model was opened.")
        try:
            answers = self._predictor.predict_feed(feed_of_table(tables["feed"]))
        except ValueError as error:
            words = " ".join(f"{error}".split())
            line = self.code.line_of(error) if self.code else ""
            return {"error": NUMBERS, "message": f"{words}{line}", "remedy": "", "at": []}, {}
        return {}, {"answers": table_of_array(answers)}


def open_model(
    schema: InputSchema, data: bytes, code: OwnCode, paths: Sequence[str]
) -> NativePredictor:
    """Return the stored model with its code loaded.

    Raises Refused naming types that are not trusted, BadData where it cannot be loaded.
    """
    from pipelines.bundle.predictor import NativePredictor

    return NativePredictor(schema, data, trusted_types(data, code, paths))


def trusted_types(data: bytes, code: OwnCode, paths: Sequence[str]) -> list[str]:
    """Return the types that a stored model may build besides the loader's own, with its code
    loaded.

    Raises Refused naming those that are not trusted, BadData where the model cannot be read.
    """
    with paused_collection():
        from skops import io

    from pipelines.bundle.own_types import split_types

    if code.files:
        load_code(code)
    try:
        names = io.get_untrusted_types(data=data)
    except Exception as error:  # a broken file fails as zip, JSON, key or type error
        raise BadData(f"The model cannot be read: {type(error).__name__}: {error}") from error
    trusted, foreign = split_types(names, code, paths)
    if foreign:
        raise Refused(f"The model holds types that are not trusted: {', '.join(foreign)}")
    return trusted


def main(arguments: list[str]) -> None:
    """Answer questions until there are no more."""
    with paused_collection(for_good=True):
        import pandas as pd  # noqa: F401 -- every model that is opened needs them
        from skops import io  # noqa: F401

    run(ModelProgram(Limits.model_validate_json(arguments[3]).paths), arguments)
