"""The DAG `rollback_<model>`: goes back to a release that served before, in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

from perennial_airflow.dag_names import RETRAIN, ROLLBACK, dag_name
from perennial_airflow.dags.model_dag import model_dag, reason_param
from perennial_airflow.dags.tasks import Steps

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from pipelines.spec import Spec

PARAMS = {
    "to": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=99_999_999,
        title="Release",
        description="The release to go back to. Empty: what served before the present champion.",
    ),
    "reason": reason_param(),
}

DOC = """
### Roll back {name}

{description}

Owned by **{owner}**; without a schedule:
started by hand or by API when the version that serves must go.

| task | what it does | when it does not go on |
|---|---|---|
| `rollback` | releases an older bundle anew, and switches to it | what serves now serves on |

The older bundle must answer its golden requests first; it gets the next release number.

Nothing is retrained and nothing of the past is changed.
The ledger holds who served until when and why;
the next run of `{retrain}` judges its challenger against the version that serves then.

**Params** &nbsp; `to`: {to} &nbsp; `reason`: {reason}

By API: `POST /api/v2/dags/{dag}/dagRuns` with
`{{"logical_date": null, "conf": {{"reason": "wrong prices"}}}}`.
A key that is not one of the params is refused (400).
By hand: `perennial rollback {name} [--to RELEASE]`.
"""


def rollback(spec: Spec) -> DAG:
    """Return the model's rollback DAG."""
    with model_dag(spec, ROLLBACK, schedule=None, params=PARAMS, doc=_doc(spec)) as dag:
        Steps(spec)("rollback")
    return dag


def _doc(spec: Spec) -> str:
    return DOC.format(
        dag=dag_name(ROLLBACK, spec.name),
        retrain=dag_name(RETRAIN, spec.name),
        name=spec.name,
        description=spec.description,
        owner=spec.owner,
        **{name: param.description for name, param in PARAMS.items()},
    )
