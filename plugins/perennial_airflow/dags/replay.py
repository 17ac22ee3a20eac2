"""The DAG `replay_<model>`: lives through the model's past under several policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

from perennial_airflow.dag_names import REPLAY, dag_name
from perennial_airflow.dags.model_dag import model_dag, moment_param, reason_param
from perennial_airflow.dags.tasks import Steps

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from pipelines.spec import Spec

PARAMS = {
    "start": moment_param(
        "From", "The first batch to live through. Empty: as early as the model can be trained."
    ),
    "end": moment_param("To", "Where to end, exclusive. Empty: the end of the newest batch."),
    "policies": Param(
        [],
        type="array",
        items={"type": "object"},
        maxItems=15,
        title="Policies",
        description="Policies to try beside the usual ones, each as in a policy's file.",
    ),
    "reason": reason_param(),
}

DOC = """
### Replay {name}

{description}

Owned by **{owner}**; a person starts it.

| task | what it does | when it does not go on |
|---|---|---|
| `plan_replay` | reads the past, and cuts it into parts | a source is away: tried again |
| `prepare_replay` | one task per part: makes, judges and scores versions | killed: tried again |
| `replay` | lives through the past under all policies, and writes the page | |

Before each batch each policy looks back, retrains or not, and its gate judges the challenger;
then the batch scores what serves.
Compared are: never, every batch without a gate, every batch, every third one,
the model's own policy, and those of the run.
The page says what each was worth, and which to take, or that it cannot be told.

Parts are computed side by side, each version once; what depends on the moment before,
such as a look with a champion's eyes, `replay` computes in as many processes as there are cores.
What was computed is kept: a task that is cleared goes on where it was.
What serves, the registry and the ledger are not touched.

**Params** &nbsp; `start`: {start} &nbsp; `end`: {end} &nbsp; `policies`: {policies}
&nbsp; `reason`: {reason}

By API: `POST /api/v2/dags/{dag}/dagRuns` with
`{{"logical_date": null, "conf": {{"policies": [{{"name": "yearly", "every": 12}}]}}}}`.
A key that is not one of the params is refused (400).
By hand: `perennial replay {name}`.
"""


def replay(spec: Spec) -> DAG:
    """Return the model's replay DAG."""
    with model_dag(spec, REPLAY, schedule=None, params=PARAMS, doc=_doc(spec)) as dag:
        step = Steps(spec)
        plan = step("plan_replay", gives="parts")
        parts = step.each_part("prepare_replay", plan)
        step("replay").set_upstream(parts)
    return dag


def _doc(spec: Spec) -> str:
    return DOC.format(
        dag=dag_name(REPLAY, spec.name),
        name=spec.name,
        description=spec.description,
        owner=spec.owner,
        **{name: param.description for name, param in PARAMS.items()},
    )
