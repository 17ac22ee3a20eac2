"""What the server tells of its models: as JSON, and as OpenAPI with the real schema of each model that serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.bundle.schema import Column, InputSchema
    from serving.follow import ModelState
    from serving.served import Served


def described(name: str, state: ModelState) -> dict[str, Any]:
    """Return what is known of a model: what serves, since when, from which data, and a newer release that was refused."""
    refused = {"release": state.refused.release, "reason": state.refused.reason} if state.refused else None
    if state.served is None:
        return {"model": name, "version": None, "release": None, "refused": refused}
    manifest = state.served.bundle.manifest
    return {
        "model": name,
        "version": manifest.version,
        "release": state.served.release.number,
        "reason": state.served.release.reason,
        "since": state.served.since,
        "features_revision": manifest.features_revision,
        "fitted_on": manifest.fitted_on.model_dump(mode="json"),
        "rows": manifest.rows,
        "metrics": manifest.metrics,
        "candidate": manifest.candidate,
        "run": manifest.run,
        "task": manifest.inputs.task,
        "compiled": manifest.compiled,
        "parity": manifest.parity,
        "why_native": manifest.why_native,
        "inputs": row_schema(manifest.inputs),
        "refused": refused,
    }


def row_schema(schema: InputSchema) -> dict[str, Any]:
    """Return the JSON schema of one row."""
    return {
        "type": "object",
        "properties": {c.name: _property(c) for c in schema.columns},
        "required": [c.name for c in schema.columns],
        "additionalProperties": False,
    }


def _property(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"type": [column.kind, "null"] if column.nullable else column.kind}
    return found if column.example is None else {**found, "examples": [column.example]}


def with_models(document: dict[str, Any], states: dict[str, ModelState]) -> dict[str, Any]:
    """Return the OpenAPI document with a predict path for every model that serves."""
    paths = {f"/models/{name}/predict": {"post": _operation(name, s.served)} for name, s in sorted(states.items()) if s.served}
    return {**document, "paths": {**paths, **document["paths"]}}


def _operation(name: str, served: Served) -> dict[str, Any]:
    manifest = served.bundle.manifest
    row = row_schema(manifest.inputs)
    either = {
        "oneOf": [
            _closed({"rows": {"type": "array", "minItems": 1, "items": row}}),
            _closed({"row": row}),
        ]
    }
    example = {"rows": [served.bundle.golden.rows[0]]}
    problem = {"description": "The request was not answered.", "content": {"application/json": {"schema": PROBLEM}}}
    return {
        "operationId": f"predict_{name}",
        "summary": f"Predict with {name}",
        "description": f"Version {manifest.version}, release {served.release.number}. Each row holds the built features.",
        "tags": ["predict"],
        "requestBody": {"required": True, "content": {"application/json": {"schema": either, "example": example}}},
        "responses": {
            "200": {
                "description": "One prediction per row.",
                "content": {"application/json": {"schema": _answer_schema(manifest.inputs)}},
            },
            "default": problem,
        },
    }


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


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


def _answer_schema(schema: InputSchema) -> dict[str, Any]:
    one: dict[str, Any] = {"type": "number"}
    if schema.task == "binary":
        one["description"] = "The probability of true."
    if schema.task == "multiclass":
        probabilities = {"type": "object", "properties": {label: {"type": "number"} for label in schema.classes or []}}
        one = _closed({"label": {"enum": schema.classes}, "probabilities": probabilities})
    parts = {"request_id": "string", "model": "string", "version": "string", "release": "integer"}
    return _closed({**{k: {"type": v} for k, v in parts.items()}, "predictions": {"type": "array", "items": one}})
