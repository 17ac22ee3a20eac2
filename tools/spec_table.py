"""Make docs/spec.md: all that model.yaml and schema.yaml may say, from the spec itself.

`python -m tools.spec_table` writes it; a test compares it with the code.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.spec import (
    alike,
    automl,
    candidates,
    drift,
    features,
    fields,
    forecast,
    gate,
    gate_checks,
    gate_served,
    model,
    own_metrics,
    prove,
    quantiles,
    resources,
    retrain,
    schema,
    search,
    sources,
    steps,
    target,
    threshold,
    train,
)

if TYPE_CHECKING:
    from pydantic import BaseModel


def _step_of(kind: type[steps.StepBase]) -> str:
    """Return how a step is written: `step: pca` or `step: svd`."""
    names = kind.model_fields["step"].annotation.__args__  # type: ignore[union-attr]
    return " or ".join(f"`step: {name}`" for name in names)


_LONGEST_DEFAULT = 60
PAGE = Path(__file__).resolve().parents[1] / "docs" / "spec.md"
PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("model.yaml", model.Spec),
    ("source, `kind: files`", sources.FilesSource),
    ("source, `kind: http`", sources.HttpSource),
    ("source, `kind: sql`", sources.SqlSource),
    ("source, `kind: python`", sources.PythonSource),
    ("target", target.Target),
    ("features", features.Features),
    ("forecast", forecast.Forecast),
    ("train", train.Train),
    ("metrics, each", own_metrics.OwnMetric),
    ("threshold, chosen", threshold.ThresholdFor),
    ("quantiles", quantiles.Quantiles),
    ("quantiles.conformal", quantiles.Conformal),
    ("candidates, each", candidates.Candidate),
    ("candidates, `pipeline`", candidates.OwnPipeline),
    ("candidates, a range in `search`", search.Range),
    ("candidates, `budget` with minutes", search.Budget),
    ("candidates, `early_stopping`", search.EarlyStopping),
    ("search", search.Search),
    *((f"candidates, {_step_of(kind)}", kind) for kind in steps.KINDS),
    ("automl, with a budget", automl.AutoML),
    ("alike", alike.Alike),
    ("gate", gate.Gate),
    ("gate.versus_champion", gate.VersusChampion),
    ("gate.slices", gate_checks.Slices),
    ("gate.slices, `by`, each", gate_checks.SliceOf),
    ("gate.leak", gate_checks.Leak),
    ("gate.fairness", gate_checks.Fairness),
    ("gate.baselines", gate_checks.Baselines),
    ("gate.robustness", gate_checks.Robustness),
    ("gate.flips", gate_checks.Flips),
    ("gate.size", gate_served.Size),
    ("gate.latency", gate_served.Latency),
    ("gate.memory", gate_served.Memory),
    ("gate.golden, each", gate_served.GoldenRow),
    ("drift", drift.Drift),
    ("drift: a rule in `numbers`, `texts`, `predictions`, `columns`", drift.Rule),
    ("drift.performance", drift.Performance),
    ("retrain", retrain.Retrain),
    ("retrain.quiet_hours, each", retrain.QuietHours),
    ("prove", prove.Prove),
    ("deploy", fields.Deploy),
    ("resources", resources.Resources),
    ("resources.serving", resources.Limits),
    ("schema.yaml: each column", schema.Column),
)
HEAD = """# All that a spec may say

Made from the spec itself by `python -m tools.spec_table`; a test compares them.
How the parts work together is told in [add-a-model.md](add-a-model.md).
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, kind in PARTS:
        parts.append(f"## {title}\n\n{_about(kind)}\n\n{_fields(kind)}\n")
    return "\n".join(parts)


def _about(kind: type[BaseModel]) -> str:
    """Return what the class says of itself, a sentence or a paragraph a line."""
    text = inspect.cleandoc(kind.__doc__ or "")
    return "\n\n".join(textwrap.fill(p, 100) for p in text.split("\n\n"))


def _fields(kind: type[BaseModel]) -> str:
    """Return each field with what it takes and its default, its sentences below it."""
    body = kind.model_json_schema()
    needed, texts = set(body.get("required", ())), sentences(kind)
    lines = []
    for name, field in body["properties"].items():
        takes = _type(field, body.get("$defs", {}))
        default = "needed" if name in needed else _default(field)
        head = ", ".join(filter(None, (takes, default)))
        lines += _wrap(f"- `{name}`: {head}", "  ")
        lines += _wrap(f"  {texts.get(name, '')}", "  ")
    return "\n".join(lines)


def _wrap(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def sentences(kind: type[BaseModel]) -> dict[str, str]:
    """Return what is said of each field: its description, or the text below it in the code."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("pipelines.") and base.__doc__:
            texts |= _texts_below(base)
    fields = kind.model_fields
    texts |= {n: f.description for n, f in fields.items() if f.description}
    # a field goes by its alias, where it has one
    return {
        (fields[name].alias or name) if name in fields else name: " ".join(text.split())
        for name, text in texts.items()
    }


def _texts_below(kind: type) -> dict[str, str]:
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    texts: dict[str, str] = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, below in pairwise(statements):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            texts[field.target.id] = str(below.value.value)
    return texts


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None or value == {}:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"default `{text}`" if len(text) < _LONGEST_DEFAULT else ""


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "",
}
_FORMATS = {"date-time": "moment", "date": "day", "duration": "duration"}


def _type(field: dict[str, Any], defs: dict[str, Any]) -> str:  # noqa: PLR0911 -- one for each kind
    """Return in words what a field of the JSON schema takes."""
    if "$ref" in field:
        return _type(defs[field["$ref"].rsplit("/", 1)[-1]], defs)
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in field:
            kinds = dict.fromkeys(filter(None, (_type(f, defs) for f in field[choice])))
            return " or ".join(kinds)
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), defs) or 'values'}"
    if field.get("type") == "object":
        values = field.get("additionalProperties")
        inner = _type(values, defs) if isinstance(values, dict) else ""
        return "values by name" + (f" ({inner})" if inner and "properties" not in field else "")
    if field.get("format") in _FORMATS:
        return _FORMATS[field["format"]]
    return _WORDS.get(field.get("type", ""), "value") + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    bounds = [
        f"{sign} {field[key]}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
        )
        if key in field
    ]
    return f" ({', '.join(bounds)})" if bounds else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
