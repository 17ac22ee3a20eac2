"""The DAG `prove_<model>`: builds the champion again and fails where it comes out otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

from perennial_airflow.dag_names import PROVE, dag_name
from perennial_airflow.dags.model_dag import model_dag, reason_param
from perennial_airflow.dags.tasks import Steps

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from pipelines.spec import Spec

PARAMS = {
    "version": Param(
        None,
        type=["null", "string"],
        maxLength=50,
        title="Version",
        description="The version to build again. Empty: the champion.",
    ),
    "reason": reason_param(),
}

DOC = """
### Prove {name}

{description}

Owned by **{owner}**; {scheduled}.

| task | what it does | when it does not go on |
|---|---|---|
| `prove` | builds the champion again, and compares | a difference fails the run; no retry helps |

It takes the raw batches, the files of the model, the seed and the settings from the ledger,
builds features, model and bundle in a clean folder,
and compares features, training, bundle, ONNX bytes and answers, bit for bit.
What serves, the registry and the store are not touched; the outcome stands in the ledger.

**A run is red** when the version does not come out as it was:
the log and the ledger name the first difference, and what has changed since
(packages, Python, Perennial's own code). What serves serves on.
A version that was made before its recipe was kept cannot be proven; the run says so and is green.

**Params** &nbsp; `version`: {version} &nbsp; `reason`: {reason}

By API: `POST /api/v2/dags/{dag}/dagRuns` with `{{"logical_date": null, "conf": {{}}}}`.
A key that is not one of the params is refused (400).
By hand: `perennial rebuild {name} VERSION`.
"""


def prove(spec: Spec) -> DAG:
    """Return the model's prove DAG."""
    schedule = spec.prove.schedule
    with model_dag(spec, PROVE, schedule=schedule, params=PARAMS, doc=_doc(spec)) as dag:
        Steps(spec)("prove")
    return dag


def _doc(spec: Spec) -> str:
    schedule = spec.prove.schedule
    return DOC.format(
        dag=dag_name(PROVE, spec.name),
        name=spec.name,
        description=spec.description,
        owner=spec.owner,
        scheduled=f"scheduled {schedule}" if schedule else "without a schedule",
        **{name: param.description for name, param in PARAMS.items()},
    )
