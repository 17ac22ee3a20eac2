"""The DAG `retrain_<model>`.

From raw data to a served version, or to a refusal with its reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from perennial_airflow.dag_names import RETRAIN, dag_name
from perennial_airflow.dags.model_dag import model_dag, moment_param, reason_param
from perennial_airflow.dags.tasks import Steps
from perennial_airflow.kept_settings import current_settings
from perennial_airflow.turn_operator import wait_for_turn
from pipelines.spec.units import duration_text

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from perennial_airflow.places.step_operator import StepOperator
    from pipelines.spec import Spec

PARAMS = {
    "as_of": moment_param(
        "As of",
        "The moment the run pretends to live in, exclusive: nothing later is seen. Empty: the end"
        " of the newest batch. Of data without time it names the newest snapshot known by then;"
        " empty: the source as it is now.",
    ),
    "reason": reason_param(),
    "force": Param(
        default=False,
        type="boolean",
        title="Force",
        description=(
            "Compute every step again, even where the same inputs gave a result before. The gate is"
            " not forced."
        ),
    ),
    "first": Param(
        default=False,
        type="boolean",
        title="Go first",
        description=(
            "Where retrainings wait for their turn: go before all others, whatever the day's budget"
            " says. It needs a reason of its own, which stands in the ledger."
        ),
    ),
}

DOC = """
### Retrain {name}

{description}

Owned by **{owner}**; a {task} task on {batches}; {when}.

| task | what it does | when it does not go on |
|---|---|---|
{turn}| `ingest` | reads the batches that it needs, but those held | a source is away: tried again |
| `validate` | holds each batch against `expectations/{name}.json` | quarantine, the run fails |
| `features` | builds the feature table and gives it a version | |
| `train` | one task per candidate: {candidates} | killed or crashed: tried again |
{search}| `gate` | judges the best candidate | a refusal is a result: the run ends green |
{approval}| `package` | fits the winner again on {rows}, compiles it | skipped after a refusal |
| `deploy` | has the server switch to it, or goes back | the old version stays |
| `close` | ends the run in the registry, whatever came of it | never decides how the run ended |

`validate` puts bad rows into the quarantine.
`gate` holds the best candidate against the floors and against the champion.
`package` proves that the compiled model answers the same; `deploy` checks it on the server first.

**Params** &nbsp; `as_of`: {as_of} &nbsp; `reason`: {reason} &nbsp; `force`: {force}
&nbsp; `first`: {first}

By API: `POST /api/v2/dags/{dag}/dagRuns` with
`{{"logical_date": null, "conf": {{"reason": "by hand"}}}}`.
A key that is not one of the params is refused (400).

A run whose id begins with `drift__` was started by drift; its note says by which run.
Where it failed, mend the cause and *Clear* its failed tasks rather than trigger it anew:
what it had finished stays, and the drift run finds it under the same id.
"""


APPROVAL = """\
| `ask` | asks a person whether the promoted challenger may serve | no answer in {within}: a no |
| `approve` | writes down who answered what, and when | a no is a refusal: the run ends green |
"""


SEARCH = """\
| `search` | helps the searches of `train`: {helpers} tasks, one per trial at once | skipped |
"""


TURN = """\
| `wait` | waits in line for its turn, without a worker | the budget is used up: all is skipped |
"""


def retrain(spec: Spec) -> DAG:
    """Return the model's retrain DAG."""
    has_line = current_settings().has_line
    doc = _doc(spec, has_line=has_line)
    with model_dag(spec, RETRAIN, schedule=spec.train.schedule, params=PARAMS, doc=doc) as dag:
        step = Steps(spec)
        turn = wait_for_turn(spec) if has_line else None
        ingest = step("ingest")
        if turn is not None:
            ingest.set_upstream(turn)
        validate = step("validate", ingest=ingest)
        features = step("features", ingest=ingest, validate=validate)
        train = step.each(
            "train", [candidate.name for candidate in spec.candidates], features=features
        )
        if helpers := _helpers(spec):
            step.each_helper("search", helpers, features=features)
        gate = step("gate", features=features, train=train)
        verdict = _approval(spec, step, gate) if spec.gate.asks else gate
        package = step(
            "package",
            features=features,
            train=train,
            gate=verdict,
            skip_unless={"gate": {"verdict": "promote"}},
        )
        deploy = step("deploy", gate=verdict, package=package)
        ends: dict[str, Any] = {"features": features, "gate": gate, "deploy": deploy}
        if spec.gate.asks:
            ends["approve"] = verdict
        close = step("close", **ends)
        close.set_upstream(train)  # where one candidate failed, the others are still at work
        # A run that is declined has nothing to close; one that is cleared as a whole waits again
        close.as_teardown(setups=turn, on_failure_fail_dagrun=False)
    return dag


def _helpers(spec: Spec) -> list[tuple[str, int]]:
    """Return the helpers of each candidate's search: its name and their numbers, in turn, so that
    where workers are few each candidate has one of them.
    """
    if spec.search.parallel == 1:
        return []
    helpers = [
        (candidate.name, number)
        for candidate in spec.candidates
        for number in range(1, candidate.most_at_once(spec.search.parallel))
    ]
    return sorted(helpers, key=lambda helper: helper[1])


def _approval(spec: Spec, step: Steps, gate: StepOperator) -> StepOperator:
    """Return the task that writes a person's answer down, after the one that asks for it."""
    # Loaded for the models that ask alone: Airflow's own operator brings much with it
    from perennial_airflow.approval_operator import AskApproval

    ask = AskApproval(
        task_id="ask",
        model=spec.name,
        gate=gate.output,
        approvers=spec.gate.approvers,
        within=spec.gate.approval_within,
    )
    ask.set_upstream(gate)
    # A refusal asks nobody: `ask` is skipped, and the refusal passes through
    return step("approve", gate=gate, answer=ask, trigger_rule="none_failed")


def _doc(spec: Spec, *, has_line: bool) -> str:
    return DOC.format(
        dag=dag_name(RETRAIN, spec.name),
        name=spec.name,
        description=spec.description,
        owner=spec.owner,
        task=spec.task,
        batches=f"batches of one {spec.batch}" if spec.batch else "a snapshot (no time)",
        turn=TURN if has_line else "",
        approval=APPROVAL.format(within=duration_text(spec.gate.approval_within))
        if spec.gate.asks
        else "",
        search=SEARCH.format(helpers=len(helpers)) if (helpers := _helpers(spec)) else "",
        rows="all rows" if spec.batch else "all rows but the held-out ones",
        when=(
            f"scheduled {spec.train.schedule}"
            if spec.train.schedule
            else "without a schedule: started by hand, by API or by drift"
        ),
        candidates=", ".join(candidate.name for candidate in spec.candidates),
        **{name: param.description for name, param in PARAMS.items()},
    )
