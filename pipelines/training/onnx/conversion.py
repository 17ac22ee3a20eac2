"""From a fitted pipeline to ONNX: scikit-learn by skl2onnx, XGBoost and LightGBM by onnxmltools."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

from pipelines.bundle.predictor import output_name
from pipelines.tasks import answers_probabilities, answers_scores, classifies
from pipelines.training.onnx.converters import register_converters
from pipelines.training.onnx.level_fits import finish_levels
from pipelines.training.onnx.nested import acting_steps, estimators_in, replace_estimators
from pipelines.training.onnx.scores import turn_scores
from pipelines.training.onnx.tree_nodes import round_thresholds

if TYPE_CHECKING:
    from pipelines.bundle.schema import InputSchema

OPSET = 18
_ML_OPSET = 3
"""Of the domain ai.onnx.ml: the newest that onnxmltools writes trees for."""

_WORDS = r"[\p{L}\p{N}_][\p{L}\p{N}_]+"
"""scikit-learn's default `token_pattern`, (?u)\\b\\w\\w+\\b, as RE2 has it: there \\w is ASCII."""
_DEFAULT_WORDS = r"(?u)\b\w\w+\b"


def to_onnx(pipeline: Any, schema: InputSchema) -> bytes:
    """Return the pipeline as ONNX.

    The same fit gives the same bytes in every process (no random names, no order of a set).
    Its one output of interest is called as the predictor looks for it.
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    if (finished := _finished_model(pipeline.steps[-1][1], schema)) is not None:
        return finished
    register_converters()
    pipeline = replace_estimators(round_thresholds(pipeline), _adapt)
    kinds = [
        (c.name, StringTensorType([None, 1]) if c.kind == "string" else FloatTensorType([None, 1]))
        for c in schema.columns
    ]
    with warnings.catch_warnings():
        # of onnx's own calls, e.g. "Expected an int, got a boolean" for every tree
        warnings.simplefilter("ignore")
        model = convert_sklearn(
            pipeline,
            name="perennial",
            initial_types=kinds,
            options=_options(pipeline, schema),
            target_opset={"": OPSET, "ai.onnx.ml": _ML_OPSET},
        )
    if answers_scores(schema.task):
        turn_scores(model, pipeline, output_name(schema))
    else:
        _name_output(model, schema)
    _set_locale(model)
    opsets = sorted((o.domain, o.version) for o in model.opset_import)
    del model.opset_import[:]
    for domain, version in opsets:
        model.opset_import.add(domain=domain, version=version)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _finished_model(estimator: Any, schema: InputSchema) -> bytes | None:
    """Return the ONNX model that a folder brought, with its levels in order; None of others."""
    levels = type(estimator).__name__ == "QuantileFits"
    inner = estimator.estimators_[0] if levels else estimator
    if type(inner).__name__ != "FinishedModel":
        return None
    model: bytes = inner.model
    return finish_levels(model, estimator, output_name(schema)) if levels else model


def _options(pipeline: Any, schema: InputSchema) -> dict[int, dict[str, Any]]:
    """Return the converter's options: plain probabilities, and words as Python finds them."""
    options: dict[int, dict[str, Any]] = {}
    if classifies(schema.task):
        options[id(pipeline)] = {"zipmap": False}
    for found in estimators_in(pipeline):
        counts_words = type(found).__name__ in {"TfidfVectorizer", "CountVectorizer"}
        if counts_words and (found.analyzer, found.token_pattern) == ("word", _DEFAULT_WORDS):
            options[id(found)] = {"tokenexp": _WORDS}
    return options


def _adapt(estimator: Any) -> Any:
    """Return a twin where the converter refuses what does not touch the answers."""
    if hasattr(estimator, "steps") and len(acting_steps(estimator)) < len(estimator.steps):
        from sklearn.pipeline import Pipeline

        return Pipeline(acting_steps(estimator))
    if getattr(estimator, "flatten_transform", False):
        twin = copy.copy(estimator)
        twin.flatten_transform = False  # of `transform` only
        return twin
    return estimator


_LOCALE = b"C.UTF-8"
"""By which ONNX Runtime lowers letters; it is part of glibc, the runtime's default en_US is not."""


def _set_locale(model: Any) -> None:
    """Let texts be lowered by a locale that a slim image has."""
    for node in model.graph.node:
        if node.op_type == "StringNormalizer":
            kept = [a for a in node.attribute if a.name != "locale"]
            del node.attribute[:]
            node.attribute.extend(kept)
            node.attribute.add(name="locale", s=_LOCALE, type=3)


def _name_output(model: Any, schema: InputSchema) -> None:
    """Give the output with the answers the name that the predictor asks for."""
    name, outputs = output_name(schema), model.graph.output
    if name in {o.name for o in outputs}:
        return
    # A classifier gives labels first, a regressor perhaps its deviations last.
    output = outputs[len(outputs) - 1] if answers_probabilities(schema.task) else outputs[0]
    renamed = {name: f"{name}_within", output.name: name}
    for node in model.graph.node:
        for names in (node.input, node.output):
            for nth, old in enumerate(names):
                names[nth] = renamed.get(old, old)
    output.name = name
