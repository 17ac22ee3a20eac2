"""Specs of models that need no data: enough for a DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.spec import Spec, parse_spec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
name: {name}
owner: tests-team
description: Is {name} late?
task: binary
source: {{kind: files, uri: "raw/{{start:%Y-%m}}.csv", first: 2013-01-01T00:00:00Z}}
batch: month
event_time: at
key: [id]
target: {{column: late}}
features: {{inputs: [a, b]}}
train: {{metric: roc_auc{schedule}}}
candidates:
  - {{name: linear, estimator: sklearn.linear_model.LogisticRegression}}
  - {{name: baseline, estimator: sklearn.dummy.DummyClassifier}}
gate: {{at_least: {{roc_auc: 0.6}}, versus_champion: {{metric: roc_auc}}{gate}}}
"""


def spec_text(name: str, schedule: str = "", drift: str = "", gate: str = "") -> str:
    """Return the text of a good spec.

    `schedule` is that of retrain, `drift` that of drift (none: the model is not watched),
    `gate` is more of the gate, from its comma on.
    """
    text = SPEC.format(name=name, schedule=f", schedule: {schedule}" if schedule else "", gate=gate)
    return text + (
        f"drift: {{schedule: {drift}, window: 2 batches, cooldown: 3d}}\n" if drift else ""
    )


def make_spec(name: str = "demo", schedule: str = "", drift: str = "", gate: str = "") -> Spec:
    """Return a good spec."""
    return parse_spec(spec_text(name, schedule, drift, gate).encode(), f"models/{name}/model.yaml")


def write_models(home: Path, *names: str, drift: str = "", gate: str = "") -> Path:
    """Write good specs below `home`/models and return `home`."""
    for name in names:
        folder = home / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.yaml").write_text(spec_text(name, drift=drift, gate=gate))
    return home
