"""What the end of a step means to its task: its exit code, a refusal, a kill."""

from __future__ import annotations

import signal

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from perennial_airflow.places.process import Process
from perennial_airflow.places.step_operator import REQUEST_LIMIT, StepOperator

from pipelines.errors import GiveUp, Unreachable
from tests.dags.places.operators import ECHO, dag_run, execute
from tests.step_endings import ENDINGS


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        *ENDINGS,
        pytest.param(
            "say('ERROR column a is gone. Remedy: mend it'); sys.exit(65)",
            AirflowFailException,
            "column a is gone. Remedy: mend it",
            id="the remedy of what gives up",
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
            id="native code",
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
