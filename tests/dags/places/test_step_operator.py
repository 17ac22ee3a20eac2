"""The operator: what a step is asked, what its exit code means, when it is skipped."""

from __future__ import annotations

import contextlib
import io
import signal
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from perennial_airflow.places.process import Process
from perennial_airflow.places.step_operator import REQUEST_LIMIT, StepOperator

from pipelines.errors import GiveUp, Unreachable
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from tests.decisions import gate_verdict

HOSTILE = {
    "name": "x; id > f",
    "as_of": "{{ 7 * 7 }}",
    "reason": "$(id) `id` \x00 \ud83d 'quoted' \"twice\"",
    "deep": [{"a": None}],
}
ECHO = "record({'request': request, 'model': model})"


def dag_run(
    conf: object = None, *, kind: str = "manual", end: datetime | None = None
) -> SimpleNamespace:
    return SimpleNamespace(
        conf=conf,
        run_type=kind,
        run_after=datetime(2024, 5, 1, 12, tzinfo=UTC),
        data_interval_end=end,
    )


def execute(
    command: tuple[str, ...],
    step: str = "features",
    *,
    run: SimpleNamespace | None = None,
    **parameters,
):
    task = StepOperator(task_id=step, step=step, model="demo", place=Process(command), **parameters)
    return task.execute({"run_id": "by hand 1", "dag_run": run or dag_run()})


class Pushes:
    """A task instance that remembers what was pushed."""

    def __init__(self) -> None:
        self.xcoms: dict[str, object] = {}

    def xcom_push(self, key: str, value: object) -> None:
        self.xcoms[key] = value


def test_ingest_gets_the_run_its_moment_and_the_conf_as_plain_data(command):
    result = execute(command(ECHO), "ingest", run=dag_run(HOSTILE))
    assert result == {
        "model": "demo",
        "request": {"run": "by hand 1", "now": "2024-05-01T12:00:00Z", "conf": HOSTILE},
    }


def test_rollback_gets_the_conf_too():
    task = StepOperator(task_id="rollback", step="rollback", model="demo")
    assert task._request({"run_id": "r", "dag_run": dag_run(HOSTILE)}) == {
        "run": "r",
        "now": "2024-05-01T12:00:00Z",
        "conf": HOSTILE,
    }


def test_ingest_is_told_its_purpose(command):
    result = execute(command(ECHO), "ingest", request={"purpose": "drift"})
    assert result["request"] == {
        "run": "by hand 1",
        "purpose": "drift",
        "now": "2024-05-01T12:00:00Z",
        "conf": {},
    }


def test_what_a_trigger_sends_cannot_change_the_purpose(command):
    asked = execute(
        command(ECHO),
        "ingest",
        run=dag_run({"purpose": "retrain", "run": "x"}),
        request={"purpose": "drift"},
    )["request"]
    assert (asked["purpose"], asked["run"]) == ("drift", "by hand 1")


REFUSED = {
    "verdict": "refuse",
    "reasons": ["too weak"],
    "checks": [{"name": "floor", "passed": False, "detail": "too weak"}],
    "candidate": "linear",
    "run_id": "",
    "version": "",
    "metrics": {},
    "champion": None,
}


def test_a_verdict_is_pushed_in_words_beside_the_result(command):
    ti = Pushes()
    answer = f"record({REFUSED!r})"
    task = StepOperator(task_id="gate", step="gate", model="demo", place=Process(command(answer)))
    assert task.execute({"run_id": "r", "dag_run": dag_run(), "ti": ti})["verdict"] == "refuse"
    assert ti.xcoms == {"verdict": "Verdict on linear: REFUSE | FAIL floor: too weak"}


def test_a_result_of_another_version_stands_although_its_verdict_has_no_words(command):
    ti = Pushes()
    answer = command("record({'verdict': 'refuse', 'more': 1})")
    task = StepOperator(task_id="gate", step="gate", model="demo", place=Process(answer))
    result = task.execute({"run_id": "r", "dag_run": dag_run(), "ti": ti})
    assert result == {"verdict": "refuse", "more": 1}
    assert ti.xcoms == {}


def test_the_log_of_a_gate_task_holds_its_verdict_once(world, monkeypatch):
    """The real step, in a process of its own, finds the run's verdict in the ledger."""
    monkeypatch.setenv("PERENNIAL_HOME", str(world.home))
    monkeypatch.setenv("PERENNIAL_STATE", str(world.home / "var"))
    ports = ConfiguredPorts(load_settings())
    nothing = {"uri": "objects/00/nothing.json", "sha256": "0" * 64}
    features = {
        "version": {"revision": "1", "sha256": "0" * 64},
        "plan": nothing,
        "as_of": "2024-01-05T00:00:00Z",
        "reason": "",
        "force": False,
        "rebuilt": 0,
        "reused": 0,
        "rows": 0,
        "parent_run": "",
    }
    ports.ledger.append("sales", "r", gate_verdict(**REFUSED))
    task = StepOperator(
        task_id="gate", step="gate", model="sales", request={"features": features, "train": []}
    )
    ti, log = Pushes(), io.StringIO()
    with contextlib.redirect_stdout(log):
        task.execute({"run_id": "r", "dag_run": dag_run(), "ti": ti})
    assert log.getvalue().count("Verdict on linear: REFUSE") == 1, log.getvalue()
    assert log.getvalue().count("FAIL floor: too weak") == 1
    assert ti.xcoms == {"verdict": "Verdict on linear: REFUSE | FAIL floor: too weak"}


def test_a_conf_that_is_not_there_is_empty(command):
    assert execute(command(ECHO), "ingest")["request"]["conf"] == {}


def test_a_scheduled_run_was_asked_for_at_the_end_of_its_interval(command):
    end = datetime(2024, 4, 1, tzinfo=UTC)
    assert (
        execute(command(ECHO), "ingest", run=dag_run(kind="scheduled", end=end))["request"]["now"]
        == "2024-04-01T00:00:00Z"
    )
    assert (
        execute(command(ECHO), "ingest", run=dag_run(kind="manual", end=end))["request"]["now"]
        == "2024-05-01T12:00:00Z"
    )


def test_every_other_step_gets_results_by_field_and_never_the_conf(command):
    fields = {"features": {"plan": 1}, "train": [{"candidate": "a"}], "gate": None}
    result = execute(command(ECHO), "close", run=dag_run(HOSTILE), request=fields)
    assert result["request"] == {
        "run": "by hand 1",
        "features": {"plan": 1},
        "train": [{"candidate": "a"}],
    }


def test_a_mapped_task_gets_its_candidate(command):
    assert (
        execute(command(ECHO), "train", request={"features": {}}, candidate="linear")["request"][
            "candidate"
        ]
        == "linear"
    )


def test_no_field_is_a_template():
    assert tuple(StepOperator.template_fields) == ()


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        pytest.param(
            "say('ERROR column a is gone. Remedy: mend it'); sys.exit(65)",
            AirflowFailException,
            "column a is gone. Remedy: mend it",
            id="give up",
        ),
        pytest.param(
            "say('ERROR MLflow is away'); sys.exit(75)",
            AirflowException,
            "tried again: MLflow is away",
            id="try again",
        ),
        pytest.param(
            "raise ValueError('oops')",
            AirflowException,
            r"crashed \(exit 1\): ValueError: oops",
            id="a crash",
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL)",
            AirflowException,
            r"killed \(-9\): out of memory or killed by hand",
            id="out of memory",
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGSEGV)",
            AirflowException,
            r"killed \(-11\): a crash in native code",
            id="native crash",
        ),
        pytest.param(
            "print('no record')", AirflowException, "without a result record", id="no record"
        ),
        pytest.param(
            "record({'a': 1}); sys.exit(1)",
            AirflowException,
            "crashed",
            id="a record does not excuse a crash",
        ),
        pytest.param(
            "record({'a': 1}, step='gate')",
            AirflowException,
            "without a result record",
            id="another step's record",
        ),
        pytest.param(
            "record({'a': 'x' * 9000})",
            AirflowFailException,
            "more than 8192",
            id="too large for XCom",
        ),
    ],
)
def test_what_the_end_of_a_step_means(command, code, kind, words):
    """AirflowFailException is never retried.

    Any other AirflowException is, as often as the task says.
    """
    with pytest.raises(AirflowException, match=words) as caught:
        execute(command(code))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        pytest.param({"x": float("nan")}, "no JSON", id="NaN"),
        pytest.param(
            {"x": "a" * REQUEST_LIMIT}, "bytes, more than", id="too large for one argument"
        ),
    ],
)
def test_a_conf_that_cannot_travel_is_refused_in_words(command, conf, words):
    with pytest.raises(AirflowFailException, match=words):
        execute(command(ECHO), "ingest", run=dag_run(conf))


def test_a_refused_challenger_is_not_packaged_and_the_reasons_are_told(command):
    refused = {
        "verdict": "refuse",
        "reasons": ["roc_auc 0.51 is below 0.58", "no better than the champion"],
        "candidate": "linear",
    }
    with pytest.raises(
        AirflowSkipException,
        match=r"linear was not promoted: roc_auc 0\.51 is below 0\.58; no better than the champion",
    ):
        execute(
            command("raise SystemExit(1)"),
            "package",
            request={"gate": refused},
            skip_unless={"gate": {"verdict": "promote"}},
        )


def test_a_promoted_challenger_is_packaged(command):
    promoted = {"verdict": "promote", "reasons": []}
    result = execute(
        command(ECHO),
        "package",
        request={"gate": promoted},
        skip_unless={"gate": {"verdict": "promote"}},
    )
    assert result["request"]["gate"] == promoted


def test_without_a_verdict_nothing_is_packaged(command):
    with pytest.raises(AirflowSkipException, match="no reason"):
        execute(
            command(ECHO),
            "package",
            request={"gate": None},
            skip_unless={"gate": {"verdict": "promote"}},
        )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (GiveUp("no image", remedy="build it."), AirflowFailException),
        (Unreachable("no engine", remedy="start it."), AirflowException),
    ],
)
def test_a_place_that_cannot_start_a_step_says_whether_a_retry_helps(error, kind):
    class Nowhere:
        def start(self, *_):
            raise error

    task = StepOperator(task_id="features", step="features", model="demo", place=Nowhere())
    with pytest.raises(
        AirflowException, match=f"features: {error.message} Remedy: {error.remedy}"
    ) as caught:
        task.execute({"run_id": "r", "dag_run": dag_run()})
    assert type(caught.value) is kind


def test_a_task_that_is_killed_before_its_step_is_at_work_stops_it_then(command):
    task = StepOperator(
        task_id="train", step="train", model="demo", place=Process(command("time.sleep(600)"))
    )
    task.on_kill()
    with pytest.raises(AirflowException, match=r"killed \(-15\): asked to end"):
        task.execute({"run_id": "r", "dag_run": dag_run()})


def test_killing_the_task_stops_its_step(command):
    """Airflow calls `on_kill` from a signal's handler while `execute` waits.

    Here the step itself sends the signal.
    """
    at_work = command("os.kill(os.getppid(), signal.SIGUSR1)\ntime.sleep(600)")
    task = StepOperator(task_id="train", step="train", model="demo", place=Process(at_work))
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())
    try:
        with pytest.raises(AirflowException, match=r"killed \(-15\): asked to end"):
            task.execute({"run_id": "by hand 1", "dag_run": dag_run()})
    finally:
        signal.signal(signal.SIGUSR1, before)
