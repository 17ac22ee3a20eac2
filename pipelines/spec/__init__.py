"""The spec of a model: `model.yaml` as one frozen value.

It is cheap enough to load while a DAG file is parsed.
"""

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
