"""The DAG `retrain_<model>`: from raw data to a served version, or to a refusal with its reasons."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param

from perennial_airflow.operator import StepOperator
from pipelines.spec import PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from pipelines.spec import Spec

PREFIX = "retrain_"

TIMEOUTS = {"train": timedelta(hours=6)}
"""The longest that one try of a step may take, by step."""

TIMEOUT = timedelta(hours=2)
"""The longest that one try of any other step may take."""

RETRIES = {
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
}

MOMENT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?$"
"""A date and time as JSON carries it; without a zone it is UTC."""

PARAMS = {
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date-time",
        pattern=MOMENT,  # Airflow checks a `format` only where a library for it is there
        title="As of",
        description="The moment the run pretends to live in, exclusive: nothing later is seen. Empty: the end of the newest batch.",
    ),
    "reason": Param(
        "by hand",  # the form of Airflow's UI wants a value before it lets a run start; by API, none is needed
        type="string",
        maxLength=500,
        title="Reason",
        description="Why this run was started; it stands in the ledger.",
    ),
    "force": Param(
        default=False,
        type="boolean",
        title="Force",
        description="Compute every step again, even where the same inputs gave a result before. The gate is not forced.",
    ),
}

DOC = """
### Retrain {name}

{description}

Owned by **{owner}**; a {task} task on batches of one {batch}; {when}.

| task | what it does | when it does not go on |
|---|---|---|
| `ingest` | reads the batches that the run needs, each once, and writes them to the store | a source is away: tried again |
| `validate` | holds each batch against `expectations/{name}.json` | bad rows go to the quarantine, the run fails |
| `features` | builds the feature table and gives it a version | |
| `train` | one task per candidate: {candidates} | killed or crashed: tried again |
| `gate` | compares the best candidate with the floors and with the champion | a refusal is a result: the run ends green |
| `package` | fits the winner again on all rows, compiles it and proves that it answers the same | skipped after a refusal |
| `deploy` | hands the bundle to the server, checks it there, switches, or goes back | the old version stays |
| `close` | ends the run in the registry, whatever came of it | never decides how the run ended |

**Params** &nbsp; `as_of`: {as_of} &nbsp; `reason`: {reason} &nbsp; `force`: {force}

By API: `POST /api/v2/dags/{prefix}{name}/dagRuns` with `{{"logical_date": null, "conf": {{"reason": "by hand"}}}}`.
A key that is not one of the params is refused by `ingest`.
"""


class Steps:
    """Makes a model's tasks: `step("validate", ingest=ingest)` runs that step on that task's result, and after it."""

    def __init__(self, spec: Spec) -> None:
        """Make tasks of this model, in the DAG whose context is open."""
        self._model = spec.name

    def __call__(
        self, step: str, *, skip_unless: dict[str, dict[str, Any]] | None = None, **needs: StepOperator | MappedOperator
    ) -> StepOperator:
        """Return the step's task, which runs after the tasks whose results it needs, by request field."""
        task = StepOperator(**self._known(step, needs), skip_unless=skip_unless)
        task.set_upstream(list(needs.values()))
        return task

    def each(self, step: str, candidates: Sequence[str], **needs: StepOperator) -> MappedOperator:
        """Return the step's task, mapped: one for each candidate, shown under its name."""
        tasks = StepOperator.partial(**self._known(step, needs), map_index_template="{{ task.candidate }}").expand(
            candidate=list(candidates)
        )
        tasks.set_upstream(list(needs.values()))
        return tasks

    def _known(self, step: str, needs: dict[str, Any]) -> dict[str, Any]:
        request = {field: task.output for field, task in needs.items()}
        return {
            "task_id": step,
            "step": step,
            "model": self._model,
            "request": request,
            "execution_timeout": TIMEOUTS.get(step, TIMEOUT),
        }


def retrain(spec: Spec) -> DAG:
    """Return the model's retrain DAG."""
    with DAG(
        dag_id=PREFIX + spec.name,
        description=spec.description,
        schedule=_schedule(spec),
        start_date=spec.source.first,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        params=deepcopy(PARAMS),  # Airflow writes the values of a run into them
        default_args={"owner": spec.owner, **RETRIES},
        tags=["perennial", "retrain", spec.name, spec.task],
        doc_md=_doc(spec),
    ) as dag:
        step = Steps(spec)
        ingest = step("ingest")
        validate = step("validate", ingest=ingest)
        features = step("features", ingest=ingest, validate=validate)
        train = step.each("train", [candidate.name for candidate in spec.candidates], features=features)
        gate = step("gate", features=features, train=train)
        package = step("package", features=features, train=train, gate=gate, skip_unless={"gate": {"verdict": "promote"}})
        deploy = step("deploy", gate=gate, package=package)
        close = step("close", features=features, gate=gate, deploy=deploy)
        close.set_upstream(train)  # where one candidate failed, the others are still at work
        close.as_teardown(on_failure_fail_dagrun=False)
    return dag


def _schedule(spec: Spec) -> str | None:
    schedule = spec.train.schedule
    return f"@{schedule}" if schedule in PRESETS else schedule


def _doc(spec: Spec) -> str:
    return DOC.format(
        prefix=PREFIX,
        name=spec.name,
        description=spec.description,
        owner=spec.owner,
        task=spec.task,
        batch=spec.batch,
        when=f"scheduled {spec.train.schedule}" if spec.train.schedule else "without a schedule: started by hand, by API or by drift",
        candidates=", ".join(candidate.name for candidate in spec.candidates),
        **{name: param.description for name, param in PARAMS.items()},
    )
