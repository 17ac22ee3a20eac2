"""The DAGs of all models, or of a group of them.

What one model's spec or DAG does wrong is kept apart, and harms no other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from perennial_airflow.dag_names import DRIFT, PROVE, REPLAY, RETRAIN, ROLLBACK, dag_name
from perennial_airflow.dags.drift import drift
from perennial_airflow.dags.prove import prove
from perennial_airflow.dags.replay import replay
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.dags.rollback import rollback
from perennial_airflow.dags.time_limit import TookTooLong, time_limit
from perennial_airflow.groups import Notes, group_in, group_of, read_notes, write_notes
from perennial_airflow.kept_settings import current_settings, kept_settings
from pipelines.collector import paused_collection
from pipelines.errors import SpecError
from pipelines.settings import load_settings
from pipelines.spec import load_all, load_spec, model_names
from pipelines.spec.folders import SLOW_SECONDS, Stopwatch, fingerprint

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from pipelines.spec import Spec

KINDS = (RETRAIN, DRIFT, ROLLBACK, PROVE, REPLAY)
LONGEST_SECONDS = 5.0
"""A folder that takes longer is given up, until it has changed: others wait for it."""
_PARSED_IN: set[int] = set()
"""The processes, this one or those it was forked from, that have parsed a group."""


def dags(dag_id: str | None) -> dict[str, DAG]:
    """Return the DAGs by their ids, of every model of which they can be made.

    `dag_id` is the one that a worker asks for; whoever parses for the UI asks for all (None).
    """
    if dag_id is not None:
        return _load_one(dag_id)
    specs = load_all(load_settings().models)[0]
    made = [dag for spec in specs.values() for dag in model_dags(spec)[0]]
    return {dag.dag_id: dag for dag in made}


def group_dags(file: str, dag_id: str | None) -> dict[str, DAG]:
    """Return the DAGs of the group of models whose DAG file this is, as `dags` does.

    What is wrong with its models, and which are slow, is noted beside the file.
    """
    if dag_id is not None:
        return _load_one(dag_id)
    group, folder, models = group_in(file), Path(file).parent, current_settings().models
    before, now = read_notes(folder, group), Notes()
    made: list[DAG] = []
    # Airflow forks a process for each parse; who parses again in one would keep what is dropped.
    is_first = os.getpid() not in _PARSED_IN
    _PARSED_IN.add(os.getpid())
    with kept_settings(), paused_collection(for_good=is_first):
        for name in model_names(models, lambda name: group_of(name) == group):
            made += _read(models, name, before, now)
    write_notes(folder, group, now)
    return {dag.dag_id: dag for dag in made}


def _read(models: Path, name: str, before: Notes, now: Notes) -> list[DAG]:
    """Return a model's DAGs, and note what there is to note of it."""
    mark = before.given_up.get(name)
    if mark is not None and mark == fingerprint(models / name):
        now.given_up[name], now.problems[name] = mark, before.problems.get(name, [])
        return []
    watch = Stopwatch()
    made: list[DAG] = []
    try:
        with time_limit(LONGEST_SECONDS):
            made, problems = model_dags(load_spec(models, name))
    except SpecError as error:
        problems = [str(error)]
    except TookTooLong:
        now.given_up[name] = fingerprint(models / name)
        problems = [_say_given_up(f"{models.name}/{name}")]
    if problems:
        now.problems[name] = problems
    seconds = watch.seconds
    if seconds > SLOW_SECONDS and name not in now.given_up:
        now.seconds[name] = round(seconds, 1)
    return made


def _say_given_up(folder: str) -> str:
    return (
        f"{folder}: its folder takes longer than {LONGEST_SECONDS:g} s to read, so it has no DAGs,"
        " and its neighbours have theirs; make model.yaml smaller, or put the folder on a faster"
        " disk."
    )


def _load_one(dag_id: str) -> dict[str, DAG]:
    """Return the one DAG that is asked for, by its name; nothing where it cannot be made.

    Each task begins with this: it must not cost more where there are a thousand models.
    """
    kind, _, model = dag_id.partition("_")
    if kind not in KINDS or not model:
        return {}
    try:
        made = _make(kind, load_spec(load_settings().models, model))
    except SpecError:
        return {}
    return {} if made is None or isinstance(made, str) else {dag_id: made}


def problems() -> list[str]:
    """Return in words what is wrong with the models that lack their DAGs."""
    good, errors = load_all(load_settings().models)
    return [
        *(str(error) for error in errors.values()),
        *(problem for spec in good.values() for problem in model_dags(spec)[1]),
    ]


def model_dags(spec: Spec) -> tuple[list[DAG], list[str]]:
    """Return a model's DAGs, and in words what Airflow refuses of it."""
    attempts = [_make(kind, spec) for kind in KINDS]
    made = [dag for dag in attempts if dag is not None and not isinstance(dag, str)]
    return made, [problem for problem in attempts if isinstance(problem, str)]


def _make(kind: str, spec: Spec) -> DAG | str | None:
    """Return a model's DAG of a kind, None where it has none, or in words why it cannot be made."""
    try:
        if kind == DRIFT:
            return drift(spec, spec.drift) if spec.drift is not None else None
        if kind == REPLAY:
            return replay(spec) if spec.batch is not None and spec.has_target else None
        return {RETRAIN: retrain, ROLLBACK: rollback, PROVE: prove}[kind](spec)
    # What Airflow refuses of one model must not take away the DAGs of the others.
    except Exception as error:  # noqa: BLE001
        return (
            f"models/{spec.name}/model.yaml: Airflow takes no {dag_name(kind, spec.name)}:"
            f" {type(error).__name__}: {error}."
        )
