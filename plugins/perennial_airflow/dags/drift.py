"""The DAG `drift_<model>`.

Looks at a window, decides, and has the model retrained where it must be.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from perennial_airflow.dag_names import DRIFT, RETRAIN, dag_name
from perennial_airflow.dags.model_dag import model_dag, moment_param, reason_param
from perennial_airflow.dags.tasks import Steps
from perennial_airflow.deadlines import deadline_of
from perennial_airflow.kept_settings import current_settings
from perennial_airflow.retraining_operators import WAIT, AwaitRetraining, StartRetraining
from pipelines.spec.drift import TRAFFIC
from pipelines.spec.units import batches_text, duration_text
from pipelines.steps.catalogue import TIMEOUT

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from pipelines.spec import Drift, Spec

PARAMS = {
    "window_end": moment_param(
        "Window's end",
        "The end of the window to look at, exclusive: nothing later is seen. Empty: the end of the"
        " newest batch (of data without time: the last midnight or full hour).",
    ),
    "reason": reason_param(),
}

DOC = """
### Watch {name}

{description}

Owned by **{owner}**; looks at a window of {window}, scheduled {schedule};
a retraining starts by {by}, and no other one for {cooldown} after it.

| task | what it does | when it does not go on |
|---|---|---|
| `ingest` | reads the {reads} | a source is away: tried again |
| `validate` | holds each batch against `expectations/{name}.json` | quarantine, the run fails |
| `drift` | compares the window with what the champion promised | an error is an alarm |
| `decide` | whether a retraining starts | a decision is a result |
| `start` | starts `{retrain}`, once | skipped where none is due; fails where that is paused |
| `await` | waits until that run has ended | skipped likewise |
| `report` | says what came of it | fails after an alarm, and after a failed retraining |

`drift` looks at inputs, predictions and labels; an error in it is never «no drift».
`decide` never starts two retrainings for one window, nor one during the cooldown.
`report` says nothing to do, held back, deployed or refused.

**A run is red** when somebody must look:
bad data, an alarm, a paused `{retrain}`, or a retraining that failed.
**A retraining that failed is cleared, not triggered anew**:
open it by the link *Retraining run* of `start`, mend the cause and *Clear* its failed tasks;
what it had finished stays. Then clear `await` and `report` of this run.
Running this DAG again for the same window starts no second retraining.

**Params** &nbsp; `window_end`: {window_end} &nbsp; `reason`: {reason}

By API: `POST /api/v2/dags/{dag}/dagRuns` with
`{{"logical_date": null, "conf": {{"window_end": "2024-01-01T00:00:00Z"}}}}`.
A key that is not one of the params is refused (400).
"""


def drift(spec: Spec, rules: Drift) -> DAG:
    """Return the model's drift DAG; `rules` is the spec's `drift` section."""
    with model_dag(
        spec,
        DRIFT,
        schedule=rules.schedule,
        params=PARAMS,
        doc=_doc(spec, rules),
        deadline=deadline_of(rules.schedule, current_settings().alerts),
    ) as dag:
        step = Steps(spec)
        ingest = step("ingest", constants={"purpose": DRIFT})
        validate = step("validate", ingest=ingest)
        check = step("drift", ingest=ingest, validate=validate)
        decide = step("decide", drift=check)
        arguments: dict[str, Any] = {"model": spec.name, "decision": decide.output}
        start = StartRetraining(task_id="start", execution_timeout=TIMEOUT, **arguments)
        # `start` may end skipped although there is a run to wait for: when another copy of it was
        # faster.
        # A retraining may wait for a person too
        longest = WAIT + (spec.gate.approval_within if spec.gate.asks else timedelta(0))
        wait = AwaitRetraining(
            task_id="await", trigger_rule="none_failed", longest=longest, **arguments
        )
        report = step(
            "report", trigger_rule="none_failed", drift=check, decide=decide, retrain=wait
        )
        decide >> start >> wait >> report
        decide >> wait
    return dag


def _window(spec: Spec, rules: Drift) -> str:
    if isinstance(rules.window, int) and spec.batch:
        return f"{batches_text(rules.window)} (batches of one {spec.batch})"
    length = rules.window if isinstance(rules.window, timedelta) else TRAFFIC
    return f"{duration_text(length)} of traffic"


def _doc(spec: Spec, rules: Drift) -> str:
    return DOC.format(
        dag=dag_name(DRIFT, spec.name),
        retrain=dag_name(RETRAIN, spec.name),
        name=spec.name,
        description=spec.description,
        owner=spec.owner,
        window=_window(spec, rules),
        reads="batches that became complete" if spec.batch else "source whole, as it is now",
        schedule=rules.schedule,
        by=spec.policy.by,
        cooldown=spec.policy.cooldown,
        **{name: param.description for name, param in PARAMS.items()},
    )
