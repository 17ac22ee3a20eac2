"""What every parse of a DAG file needs, loaded once in the DAG processor.

Airflow forks a process for each file it parses. What was loaded before is there in all of them;
what was not, each loads for itself.
"""

from __future__ import annotations

import gc
import logging
from functools import cache

SPEC = b"""
name: none
owner: none
description: The model of no folder.
task: binary
source: {kind: files, uri: "{start:%Y-%m}.csv", first: 2013-01-01T00:00:00Z}
batch: month
event_time: at
key: [id]
target: {column: late, known_after: 1h}
features: {inputs: [a]}
train: {window: 6 batches, metric: roc_auc, seed: 1}
candidates: [{name: linear, estimator: sklearn.linear_model.LogisticRegression, params: {C: 0.5}}]
gate: {at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc}}
drift: {schedule: monthly, window: 2 batches, false_alarms: 0.05}
retrain: {cooldown: 7d}
"""
"""A model that is nowhere. Its DAGs are made and thrown away, for what making them loads."""


@cache
def load_for_parses() -> None:
    """Make and serialize the DAGs of a model that is nowhere, and describe the usual schedules.

    Then take what there is out of the garbage collector's sight: it stays, and a child that looks
    through it copies the memory that it shares with the DAG processor.
    """
    from airflow.serialization.serialized_objects import DagSerialization

    from perennial_airflow.dags.all_models import model_dags
    from perennial_airflow.dags.model_dag import timetable
    from pipelines.spec import PRESETS, parse_spec

    for preset in PRESETS:
        timetable(preset).validate()
    dags, problems = model_dags(parse_spec(SPEC, "none/model.yaml"))
    for problem in problems:
        logging.getLogger(__name__).warning("parses take longer: %s", problem)
    for dag in dags:
        dag.validate()  # type: ignore[no-untyped-call]
        DagSerialization.to_dict(dag)
    gc.freeze()
