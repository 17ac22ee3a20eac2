"""The spec of a model: `model.yaml` as one frozen value.

It is cheap enough to load while a DAG file is parsed. Each part is loaded when it is asked for: the
process that reads a source needs little of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.spec.candidates import Candidate
    from pipelines.spec.drift import PRESETS, Drift, Rule
    from pipelines.spec.estimators import ESTIMATORS
    from pipelines.spec.folders import SPEC_FILE
    from pipelines.spec.gate import Gate
    from pipelines.spec.load import load_all, load_spec, model_names, parse_spec
    from pipelines.spec.model import Spec, json_schema
    from pipelines.spec.search import Range

__all__ = [
    "ESTIMATORS",
    "PRESETS",
    "SPEC_FILE",
    "Candidate",
    "Drift",
    "Gate",
    "Range",
    "Rule",
    "Spec",
    "json_schema",
    "load_all",
    "load_spec",
    "model_names",
    "parse_spec",
]

_PARTS = {
    "candidates": ("Candidate",),
    "drift": ("PRESETS", "Drift", "Rule"),
    "estimators": ("ESTIMATORS",),
    "folders": ("SPEC_FILE",),
    "gate": ("Gate",),
    "load": ("load_all", "load_spec", "model_names", "parse_spec"),
    "model": ("Spec", "json_schema"),
    "search": ("Range",),
}
_PART_OF = {name: part for part, names in _PARTS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Return what a part of the spec holds. Raises AttributeError."""
    if name not in _PART_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_PART_OF[name]}"), name)
    globals()[name] = found
    return found
