"""What the server tells of its models.

As JSON, and as OpenAPI with the real schema of each model that serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.inference_log.format import KEY_LIMIT
from pipelines.tasks import answers_scores, has_named_classes, traits_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.bundle.schema import Column, InputSchema
    from pipelines.messages import Threshold
    from serving.follower import ModelState
    from serving.loaded_release import LoadedRelease


def describe_model(name: str, state: ModelState) -> dict[str, Any]:
    """Return what is known of a model.

    What serves, since when, from which data, and a newer release that was refused.
    """
    refusal = (
        {"release": state.refused.release, "reason": state.refused.reason}
        if state.refused
        else None
    )
    if state.served is None:
        return {"model": name, "version": None, "release": None, "refused": refusal}
    manifest = state.served.bundle.manifest
    return {
        "model": name,
        "version": manifest.version,
        "release": state.served.release.number,
        "reason": state.served.release.reason,
        "since": state.served.since,
        "in_memory": not state.served.is_dropped,
        "features_revision": manifest.features_revision,
        "fitted_on": manifest.fitted_on.model_dump(mode="json"),
        "rows": manifest.rows,
        "metrics": manifest.metrics,
        "candidate": manifest.candidate,
        "run": manifest.run,
        "task": manifest.inputs.task,
        **_classes(manifest.inputs),
        **({"threshold": manifest.threshold_value} if manifest.threshold else {}),
        "compiled": manifest.compiled,
        "parity": manifest.parity,
        "why_native": manifest.why_native,
        "inputs": row_schema(manifest.inputs),
        **_series(manifest.inputs),
        "refused": refusal,
    }


def _classes(schema: InputSchema) -> dict[str, Any]:
    """Return what the data call the two classes of a binary model, the positive one last."""
    return {"classes": list(schema.binary_classes)} if schema.binary_classes else {}


def _series(schema: InputSchema) -> dict[str, Any]:
    """Return how the columns of a forecast are made, for a caller who sends a history."""
    return {"series": schema.series.model_dump(mode="json")} if schema.series else {}


def _true_of(schema: InputSchema) -> str | bool:
    """Return how a caller tells that the positive class came about."""
    return schema.binary_classes[1] if schema.binary_classes else True


def row_schema(schema: InputSchema, without: Iterable[str] = ()) -> dict[str, Any]:
    """Return the JSON schema of one row, without the columns of these names."""
    columns = [c for c in schema.columns if c.name not in without]
    return {
        "type": "object",
        "properties": {c.name: _property(c) for c in columns},
        "required": [c.name for c in columns],
        "additionalProperties": False,
    }


def _property(column: Column) -> dict[str, Any]:
    property_schema: dict[str, Any] = {
        "type": [column.kind, "null"] if column.nullable else column.kind
    }
    return (
        property_schema
        if column.example is None
        else {**property_schema, "examples": [column.example]}
    )


def with_models(
    document: dict[str, Any], states: dict[str, ModelState], *, feedback: bool
) -> dict[str, Any]:
    """Return the OpenAPI document with a predict path (and one for `feedback`) for every model that
    serves.
    """
    loaded = [(name, state.served) for name, state in sorted(states.items()) if state.served]
    paths = {
        f"/models/{name}/predict": {"post": _predict(name, loaded_release)}
        for name, loaded_release in loaded
    }
    if feedback:
        paths |= {
            f"/models/{name}/feedback": {
                "post": _feedback(name, loaded_release.bundle.manifest.inputs)
            }
            for name, loaded_release in loaded
            if traits_of(loaded_release.bundle.manifest.inputs.task).target != "none"
        }
    return {**document, "paths": {**paths, **document["paths"]}}


KEY = {"type": "string", "minLength": 1, "maxLength": KEY_LIMIT}
MOMENT = {"type": "string", "format": "date-time", "description": "RFC 3339, with a zone."}


def _predict(name: str, loaded_release: LoadedRelease) -> dict[str, Any]:
    manifest = loaded_release.bundle.manifest
    row = row_schema(manifest.inputs)
    key = {
        **KEY,
        "description": (
            "Your name of the row, by which you may send its label later; several rows of one key"
            " are one event."
        ),
    }
    many = {
        "rows": {"type": "array", "minItems": 1, "items": row},
        "keys": {
            "type": "array",
            "items": {**key, "type": ["string", "null"]},
            "description": "One by row, or null.",
        },
        "event_times": {
            "type": "array",
            "items": MOMENT,
            "description": "When each row's event is; without, when it is answered.",
        },
    }
    one = {"row": row, "key": key, "event_time": MOMENT}
    bodies = [_closed_object(many, ["rows"]), _closed_object(one, ["row"])]
    bodies += _with_history(manifest.inputs, many, one)
    return _operation(
        f"predict_{name}",
        f"Predict with {name}",
        f"Version {manifest.version}, release {loaded_release.release.number}. Each row holds the"
        " built features. What is answered is in the inference log before you have the answer.",
        tag="predict",
        schema={"oneOf": bodies},
        example={"rows": [loaded_release.bundle.golden.rows[0]]},
        answer={
            "description": "One prediction per row.",
            "content": _json(_answer_schema(manifest.inputs, manifest.threshold)),
        },
    )


def _with_history(
    schema: InputSchema, many: dict[str, Any], one: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the bodies of a forecast that bring the series' recent values in place of the made
    columns.
    """
    if schema.series is None:
        return []
    made = set(schema.series.names)
    row = row_schema(schema, without=made)
    pair = {
        "type": "array",
        "prefixItems": [MOMENT, {"type": ["number", "null"]}],
        "minItems": 2,
        "maxItems": 2,
    }
    history = {
        "type": "array",
        "minItems": 1,
        "items": pair,
        "description": f"What is known of the one series that the rows are of, oldest first: from"
        f" {schema.series.reach} steps before the first row to {schema.series.gap} steps before"
        f" the last. A step has {schema.series.step} s. Of it are made: {', '.join(sorted(made))}.",
    }
    whole = many | {"rows": {**many["rows"], "items": row}, "history": history}
    return [
        _closed_object(whole, ["rows", "event_times", "history"]),
        _closed_object(one | {"row": row, "history": history}, ["row", "event_time", "history"]),
    ]


def _feedback(name: str, schema: InputSchema) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "binary": {"enum": [*(schema.binary_classes or ()), True, False, 1, 0]},
        "multiclass": {"enum": schema.classes},
        "anomaly": {"enum": [True, False, 1, 0]},
    }
    label = {**kinds.get(schema.task, {"type": "number"}), "description": "What happened."}
    request = {
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        "description": "The request_id of the answer.",
    }
    row = {
        "type": "integer",
        "minimum": 0,
        "description": "Which row of that request; without, the first.",
    }
    items = [
        _closed_object({"request_id": request, "row": row, "label": label}, ["request_id", "label"])
    ]
    if schema.key_personal != "drop":
        items.append(_closed_object({"key": KEY, "label": label}))
    many = _closed_object({"labels": {"type": "array", "minItems": 1, "items": {"oneOf": items}}})
    example = (
        (schema.classes or [""])[0]
        if schema.task == "multiclass"
        else _true_of(schema)
        if schema.task in {"binary", "anomaly"}
        else 1.5
    )
    count = {"type": "integer", "minimum": 0}
    answer = {
        "request_id": {"type": "string"},
        "model": {"type": "string"},
        "accepted": count,
        "unchecked": count,
        "repeated": count,
        "problems": PROBLEMS,
    }
    return _operation(
        f"feedback_{name}",
        f"Tell {name} what happened",
        "Labels by request or by key. The first label of a row counts: the same again changes"
        " nothing, another one is refused. Of several, the good ones are taken; the status is the"
        " gravest problem's. An accepted label is on the disk. So is an unchecked one: of a row"
        " that this host does not know, and that another one may have answered.",
        tag="feedback",
        schema={"oneOf": [*items, many]},
        example={"request_id": "the request_id of a prediction", "label": example},
        answer={"description": "Every label is known.", "content": _json(_closed_object(answer))},
    )


def _operation(
    operation: str,
    summary: str,
    description: str,
    *,
    tag: str,
    schema: dict[str, Any],
    example: Any,
    answer: dict[str, Any],
) -> dict[str, Any]:
    problem = {"description": "The request was not answered as asked.", "content": _json(PROBLEM)}
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        },
        "responses": {"200": answer, "default": problem},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _closed_object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required or list(properties),
        "additionalProperties": False,
    }


PROBLEMS = {
    "type": "array",
    "items": _closed_object(
        {
            "index": {"type": "integer"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "message": {"type": "string"},
        }
    ),
}
"""The JSON schema of what was wrong with which of several labels."""

PROBLEM = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "row": {"type": "integer"},
                "field": {"type": "string"},
            },
            "required": ["code", "message"],
        },
        "request_id": {"type": "string"},
    },
    "required": ["error", "request_id"],
}
"""The JSON schema of every answer that is no 2xx."""


def _answer_schema(schema: InputSchema, threshold: Threshold | None) -> dict[str, Any]:
    one: dict[str, Any] = {"type": "number"}
    if schema.task == "binary":
        of = repr(schema.binary_classes[1]) if schema.binary_classes else "true"
        one["description"] = f"The probability of {of}."
    if has_named_classes(schema.task):
        probabilities = {
            "type": "object",
            "properties": {label: {"type": "number"} for label in schema.classes or []},
        }
        one = _closed_object({"label": {"enum": schema.classes}, "probabilities": probabilities})
    if schema.levels:
        value = {"type": "number"}
        one = {
            **_closed_object(dict.fromkeys(schema.answer_names, value)),
            "description": "By level: the value below which so great a share of outcomes lies.",
        }
    if answers_scores(schema.task):
        one = _closed_object(
            {
                "score": {
                    "type": "number",
                    "description": "How strange the row is: greater is stranger.",
                },
                "anomaly": {
                    "type": "boolean",
                    "description": "Whether the score lies above the threshold.",
                },
            }
        )
    parts = {"request_id": "string", "model": "string", "version": "string", "release": "integer"}
    answer: dict[str, Any] = {
        **{k: {"type": v} for k, v in parts.items()},
        "predictions": {"type": "array", "items": one},
    }
    if schema.binary_classes:
        answer["classes"] = {
            "type": "array",
            "items": {"type": "string"},
            "description": "The two classes; a prediction is the probability of the second.",
            "examples": [list(schema.binary_classes)],
        }
    if threshold is not None and answers_scores(schema.task):
        promised = f" Above it {threshold.rate:g} of the rows are to lie." if threshold.rate else ""
        answer["threshold"] = {
            "type": "number",
            "description": f"Above it a score is an anomaly's.{promised}",
            "examples": [threshold.value],
        }
    elif threshold is not None:
        answer["threshold"] = {
            "type": "number",
            "description": "Above it a probability is a decision for the positive class.",
            "examples": [threshold.value],
        }
        answer["decisions"] = {
            "type": "array",
            "items": {"enum": list(schema.binary_classes or (False, True))},
            "description": "What is decided of each row, in the order of the predictions.",
        }
    return _closed_object(answer)
