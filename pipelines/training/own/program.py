"""What the process answers in which own pipelines are made, fitted, loaded, asked and stored.

`pipelines.training.fenced_program` is the process.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines.bundle.feed_tables import (
    bytes_of_table,
    feed_of_table,
    table_of_array,
    table_of_bytes,
)
from pipelines.bundle.model_process import trusted_types
from pipelines.bundle.own_types import split_types
from pipelines.bundle.predictor import load_native
from pipelines.bundle.rows import frame_from_feed
from pipelines.bundle.schema import InputSchema
from pipelines.bundle.strangeness import strangeness
from pipelines.errors import SpecError
from pipelines.fence.own_code import FILE, OwnCode, load_code
from pipelines.tasks import classifies
from pipelines.training.own.fits import fit_levels, fit_own
from pipelines.training.own.functions import (
    LEVEL,
    arguments_of,
    refuse_no_estimator,
    refuse_set_levels,
    refuse_without_level,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from pipelines.fence.program import Reply

    Array = np.ndarray[Any, Any]

MOST_WARNINGS = 20
_PLAIN = (bool, int, float, str, type(None))
REMEDY = (
    "write a class or a `def` at the top level of model.py in the place of a lambda, a function"
    " within a function, an open file or a connection."
)
REMEDY_OF_PACKAGE = (
    "choose another estimator; or bring the finished model as an ONNX file (`onnx: FILE`)."
)


class Builder(Protocol):
    """Makes and fits the candidates whose class a required package brings."""

    def check(self, request: Mapping[str, Any]) -> None:
        """Look whether a candidate can be imported and has its parameters. Raises SpecError."""
        ...

    def defaults(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a candidate has for each name of `search` before it is set."""
        ...

    def fit(
        self, request: Mapping[str, Any], frame: pd.DataFrame, y: Array, weights: Array | None
    ) -> tuple[Any, list[str]]:
        """Return a fitted pipeline, and what there is to say of its fit."""
        ...


class TrainingProgram:
    """Holds fitted models by number.

    Asked to `check`, `make`, `fit`, `correct`, `load`, `ask`, `dump` or `compile`.
    """

    def __init__(self, paths: Sequence[str], builder: Builder) -> None:
        """Know no model yet."""
        self._builder = builder
        self.code: OwnCode | None = None
        self._paths = paths
        self._models: dict[int, Any] = {}

    def answer(self, request: Mapping[str, Any], tables: dict[str, pa.Table]) -> Reply:
        """Answer one question."""
        for number in request.get("forget", ()):
            self._models.pop(number, None)
        if request["what"] == "check":
            self._builder.check(request)
            return {}, {}
        making = {"make": self._make, "fit": self._fit, "load": self._load}
        if request["what"] in making:
            return making[request["what"]](request, tables)
        model = self._models[request["model"]]
        if request["what"] == "ask":
            frame = frame_from_feed(feed_of_table(tables["x"]))
            answers = _ask(model, request["method"], frame, len(request["levels"]))
            return {}, {"answers": table_of_array(answers)}
        if request["what"] == "correct":
            last = model.steps[-1][1] if hasattr(model, "steps") else model
            last.correct(np.asarray(request["shifts"], dtype=np.float64))
            return {}, {}
        if request["what"] == "dump":
            return {}, {"model": table_of_bytes(self._dump(model))}
        return _compile(model, request, tables)

    def _make(self, request: Mapping[str, Any], _: dict[str, pa.Table]) -> Reply:
        self.code = OwnCode.model_validate(request["code"])
        if "candidate" in request:
            return {"parameters": self._builder.defaults(request)}, {}
        levels = request["levels"]
        parameters = self._estimator(request, {}, *levels[:1]).get_params(deep=True)
        if len(levels) > 1:
            last = self._estimator(request, {}, levels[-1]).get_params(deep=True)
            refuse_set_levels(parameters, last, request["wanted"], request["function"])
        plain = {
            name: value if isinstance(value, _PLAIN) else None for name, value in parameters.items()
        }
        return {"parameters": plain}, {}

    def _estimator(
        self, request: Mapping[str, Any], settings: Mapping[str, Any], level: float | None = None
    ) -> Any:
        """Return what the model's function makes, with these parameters and the spec's seed; of a
        level, where a model of quantiles is made.
        """
        self.code = OwnCode.model_validate(request["code"])
        module, name = load_code(self.code), request["function"]
        function = getattr(module, name, None)
        if not callable(function):
            raise SpecError(
                f"{FILE} has no function {name!r}.",
                remedy=f"add it: `def {name}(numbers, texts)` returns the estimator.",
            )
        facts = request["facts"]
        if level is not None:
            refuse_without_level(function, name)
            facts = {**facts, LEVEL: level}
        made = function(**arguments_of(function, name, facts))
        refuse_no_estimator(made, name, request["facts"]["task"])
        parameters = made.get_params(deep=True)
        seeds = {
            key: request["facts"]["seed"]
            for key, value in parameters.items()
            if value is None and (key == "random_state" or key.endswith("__random_state"))
        }
        return made.set_params(**{**seeds, **settings})

    def _fit(self, request: Mapping[str, Any], tables: dict[str, pa.Table]) -> Reply:
        if "candidate" in request:
            return self._fit_candidate(request, tables)
        frame, y = frame_from_feed(feed_of_table(tables["x"])), tables["y"]["y"].to_numpy()
        before = frame.copy()
        weights = tables["w"]["w"].to_numpy() if "w" in tables else None
        make, levels = partial(self._estimator, request, request["settings"]), request["levels"]
        one = None if levels else make()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if one is None:
                model = fit_levels(make, levels, frame, y, weights)
            else:
                model = fit_own(one, frame, y, weights)
        if not frame.equals(before):
            raise SpecError(
                "`fit` changes the table that it is given.", remedy="work on a copy of it."
            )
        classes = _classes(model, y) if classifies(request["facts"]["task"]) else None
        self._models[request["model"]] = model
        texts = [f"{w.category.__name__}: {str(w.message).splitlines()[0]}" for w in caught]
        return {"classes": classes, "warnings": list(dict.fromkeys(texts))[:MOST_WARNINGS]}, {}

    def _load(self, request: Mapping[str, Any], tables: dict[str, pa.Table]) -> Reply:
        """Hold a stored model as one that was fitted here."""
        self.code = OwnCode.model_validate(request["code"])
        data = bytes_of_table(tables["model"])
        model = load_native(data, trusted_types(data, self.code, self._paths))
        self._models[request["model"]] = model
        classes = getattr(model, "classes_", None)
        known = None if classes is None else [int(value) for value in np.asarray(classes).ravel()]
        return {"classes": known}, {}

    def _fit_candidate(self, request: Mapping[str, Any], tables: dict[str, pa.Table]) -> Reply:
        self.code = OwnCode.model_validate(request["code"])
        frame, y = frame_from_feed(feed_of_table(tables["x"])), tables["y"]["y"].to_numpy()
        weights = tables["w"]["w"].to_numpy() if "w" in tables else None
        model, messages = self._builder.fit(request, frame, y, weights)
        classes = _classes(model, y) if classifies(request["facts"]["task"]) else None
        self._models[request["model"]] = model
        return {"classes": classes, "warnings": messages[:MOST_WARNINGS]}, {}

    def _dump(self, model: Any) -> bytes:
        """Return the model as skops stores it. Raises SpecError with the way out."""
        from skops import io

        code = self.code
        assert code is not None  # noqa: S101 -- no model without code
        try:
            data: bytes = io.dumps(model)
            names = io.get_untrusted_types(data=data)
            trusted, foreign = split_types(names, code, self._paths)
            if not foreign:
                io.loads(data, trusted=trusted)
        except Exception as error:
            words = " ".join(str(error).split())[:300]
            raise SpecError(
                f"the fitted model cannot be stored: {type(error).__name__}: {words}.",
                remedy=REMEDY if code.files else REMEDY_OF_PACKAGE,
            ) from error
        if foreign:
            raise SpecError(
                f"the fitted model cannot be stored: it holds {', '.join(foreign)}, which a"
                " loader must not build.",
                remedy=REMEDY if code.files else REMEDY_OF_PACKAGE,
            )
        return data


def _classes(model: Any, y: Array) -> list[int]:
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise SpecError("the fitted model has no `classes_`.", remedy="set them in its `fit`.")
    known = [int(value) for value in np.asarray(classes).ravel()]
    strange = sorted(set(known) - {int(v) for v in np.unique(y)})
    if strange:
        raise SpecError(
            f"the fitted model has the classes {strange}, which no row has.",
            remedy="`classes_` are the sorted distinct values of the `y` that `fit` is given.",
        )
    return known


def _ask(model: Any, method: str, frame: pd.DataFrame, levels: int) -> Array:
    """Return the answers, (n,) or (n, k) by class or level.

    Raises SpecError where they have another form.
    """
    before = frame.copy()
    with np.errstate(all="ignore"):
        if method == "score_samples":  # as it is served, by which one fit is like another
            answers = -strangeness(model, frame)
        else:
            answers = np.asarray(getattr(model, method)(frame))
    if not frame.equals(before):
        raise SpecError(
            f"`{method}` changes the table that it is given.", remedy="work on a copy of it."
        )
    width = len(model.classes_) if method == "predict_proba" else levels
    right = (len(frame), width) if width else (len(frame),)
    if method == "predict" and not levels and answers.shape == (len(frame), 1):
        answers = answers[:, 0]
    if answers.shape != right:
        raise SpecError(
            f"`{method}` answers {len(frame)} rows in the shape {answers.shape}, not {right}."
        )
    try:
        return answers.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise SpecError(f"`{method}` answers {answers.dtype}, not numbers.") from error


def _compile(model: Any, request: Mapping[str, Any], tables: dict[str, pa.Table]) -> Reply:
    """Compile the model with proof, as any other."""
    import json

    from sklearn.pipeline import Pipeline

    from pipelines.training.onnx.export import compile_pipeline

    whole = model if isinstance(model, Pipeline) else Pipeline([("estimator", model)])
    found = compile_pipeline(
        whole,
        InputSchema.model_validate(request["schema"]),
        feed_of_table(tables["held_out"]),
        json.loads(bytes_of_table(tables["edges"])),
        request["threshold"],
    )
    header = {
        "parity": found.parity,
        "why_not": found.why_not,
        "rows": found.rows,
        "thresholds": found.thresholds,
        "asked": found.asked,
        "apart": found.apart,
        "decision_gap": found.decision_gap,
    }
    return header, {"onnx": table_of_bytes(found.model)} if found.model else {}
