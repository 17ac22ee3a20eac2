"""The operator that runs any step in any place: the step is a value, the place is a class."""

from __future__ import annotations

import json
import signal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.xcom_arg import XComArg
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from pydantic import ValidationError

from perennial_airflow.events import add_events
from perennial_airflow.light_operator import LightOperator
from perennial_airflow.links import step_links
from perennial_airflow.places.output import Output
from perennial_airflow.places.process import Process
from pipelines.die_with_parent import dying_with_parent
from pipelines.errors import GiveUp, PerennialError, TryAgain
from pipelines.intervals import iso
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps.catalogue import STEPS
from pipelines.verdicts.words import in_one_line, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow.sdk import BaseOperatorLink, Context
    from airflow.sdk.types import DagRunProtocol

    from perennial_airflow.places.place import Place, RunningStep

VERDICT = "verdict"
"""The key of the XCom that holds a verdict in words, beside the result."""

NOTHING: Mapping[str, Any] = MappingProxyType({})

REQUEST_LIMIT = 120_000
"""Bytes of a request: Linux refuses a single argument of 128 KiB and more."""


class StepOperator(LightOperator):
    """Runs one step of one model and gives its result, a small JSON object, to the tasks after it.

    `request` holds the step's request by field: constants, or other tasks' `output`. `candidate`
    and `part` are more of it, apart so that tasks can be mapped over them. `gives` names the one
    field of the result, a list, that is returned alone: a task is mapped over it. With
    `skip_unless={"gate": {"verdict": "promote"}}` the task is skipped unless that field of the
    request says so. A step that only helps is skipped where its last try fails: what it would have
    done, another one does. There are no template fields: nothing that a trigger sends reaches
    Jinja.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e8f0fe"

    # What few tasks have, or none before it runs: Airflow's own code runs at each value that a task
    # is given, which took a thirtieth of a parse.
    candidate: str | None = None
    part: Mapping[str, Any] | None = None
    gives: str | None = None
    skip_unless: Mapping[str, Mapping[str, Any]] = NOTHING
    place: Place | None = None
    fields: Mapping[str, Any] = NOTHING
    result: Mapping[str, Any] = NOTHING
    _running: RunningStep | None = None
    _is_killed = False

    def __init__(
        self,
        *,
        step: str,
        model: str,
        request: Mapping[str, Any] | None = None,
        candidate: str | None = None,
        part: Mapping[str, Any] | None = None,
        gives: str | None = None,
        skip_unless: Mapping[str, Mapping[str, Any]] | None = None,
        place: Place | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember what to run; nothing runs, and nothing is read, before `execute`."""
        super().__init__(**kwargs)
        self.step = step
        self.model = model
        self.request = dict(request or {})
        special = {
            "candidate": candidate,
            "part": part,
            "gives": gives,
            "skip_unless": skip_unless,
            "place": place,
        }
        for name, value in special.items():
            if value is not None:
                setattr(self, name, value)

    @property
    # Airflow reads properties too.
    def operator_extra_links(self) -> tuple[BaseOperatorLink, ...]:  # type: ignore[override]
        """The links of the task's step.

        Airflow asks this of mapped tasks too, which know their step in another place.
        """
        step = self.partial_kwargs["step"] if hasattr(self, "partial_kwargs") else self.step
        return step_links(step)

    @property
    def retraining(self) -> str | None:
        """The id of the retraining that this task knows to be started."""
        decision = self.fields.get("decide") or {}
        return decision.get("run_id") if decision.get("start") else None

    def execute(self, context: Context) -> dict[str, Any] | list[Any]:
        """Run the step and return its result, or the field of it that the task `gives`."""
        request = self.fields = self._request(context)
        self._skip(request)
        try:
            self.result = self._result_of(context, request)
        except AirflowException as error:
            if not STEPS[self.step].helps or _is_tried_again(context, error):
                raise
            self.log.warning("%s The task that this one helps goes on without it.", error)
            raise AirflowSkipException(str(error)) from error
        if text := self._verdict():
            context["ti"].xcom_push(VERDICT, text)
        if self.outlets:
            add_events(context, self.step, self.model, self.result)
        return self.result if self.gives is None else list(self.result[self.gives])

    def _result_of(self, context: Context, request: Mapping[str, Any]) -> dict[str, Any]:
        output = Output(self.step, self.log)
        with dying_with_parent():
            code = self._run(context, _as_argument(request), output)
        return _result(self.step, code, output)

    def _verdict(self) -> str:
        """Return what the step decided, in one line; empty where it decides nothing.

        The step itself has written it into the log.
        """
        step = STEPS[self.step]
        if step.words is None:
            return ""
        try:
            return in_one_line(step.words(step.result.model_validate(self.result)))
        except ValidationError as error:
            self.log.warning(
                "The verdict has no words, because the steps' image is of another version: %s",
                error,
            )
            return ""

    def on_kill(self) -> None:
        """Stop the step when Airflow ends the task.

        One that is just being started, as soon as it is.
        """
        self._is_killed = True
        if self._running is not None:
            self._running.stop()

    def _request(self, context: Context) -> dict[str, Any]:
        run = {"run": context["run_id"]}
        if STEPS[self.step].reads_conf:
            dag_run = context["dag_run"]
            part = {} if self.part is None else {"part": dict(self.part)}
            return {
                **run,
                **self.request,
                **part,
                "now": iso(_requested_at(dag_run)),
                "conf": dict(dag_run.conf or {}),
            }
        fields = {name: resolve(value, context) for name, value in self.request.items()}
        if self.candidate is not None:
            fields["candidate"] = self.candidate
        fields |= self.part or {}
        return {**run, **{name: value for name, value in fields.items() if value is not None}}

    def _skip(self, request: Mapping[str, Any]) -> None:
        for field, conditions in self.skip_unless.items():
            facts = request.get(field) or {}
            if any(facts.get(name) != value for name, value in conditions.items()):
                message = refusal(facts.get("candidate"), facts.get("reasons") or [])
                self.log.warning("%s", message)
                raise AirflowSkipException(message)

    # A container is named after the run.
    def _place(self, context: Context) -> Place:  # noqa: ARG002
        """Return where this try of the step runs."""
        return self.place or Process()

    def _run(self, context: Context, request: str, output: Output) -> int:
        try:
            with self._place(context).start(self.step, self.model, request) as running:
                self._running = running
                if self._is_killed:
                    running.stop()
                return running.follow(output.take_line)
        except GiveUp as error:
            raise AirflowFailException(f"{self.step}: {error}") from error
        except PerennialError as error:
            raise AirflowException(f"{self.step}: {error}") from error
        finally:
            self._running = None


def _is_tried_again(context: Context, error: AirflowException) -> bool:
    """Tell whether Airflow tries the task again after an error."""
    instance: Any = context["ti"]
    return not isinstance(error, AirflowFailException) and instance.try_number <= instance.max_tries


def _requested_at(dag_run: DagRunProtocol) -> datetime:
    """Return the moment that the run was asked for.

    The end of the interval of a scheduled run, else when it was due.
    """
    if dag_run.run_type in {"scheduled", "backfill"} and dag_run.data_interval_end is not None:
        return dag_run.data_interval_end
    return dag_run.run_after


def resolve(value: Any, context: Context) -> Any:
    """Return a constant as it is and another task's result as it stands in XCom.

    A list where that task is mapped.
    """
    if not isinstance(value, XComArg):
        return value
    result = value.resolve(context)
    if result is None or isinstance(result, dict):
        return result
    return list(result)


def _as_argument(request: Mapping[str, Any]) -> str:
    """Return the request as ASCII JSON for argv.

    Raises AirflowFailException where it cannot be one.
    """
    try:
        text = json.dumps(request, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise AirflowFailException(
            f"The request is no JSON: {error}. Send finite numbers, texts, lists and objects."
        ) from error
    if len(text) > REQUEST_LIMIT:
        raise AirflowFailException(
            f"The request has {len(text)} bytes, more than {REQUEST_LIMIT}. Send less in the run's"
            " conf."
        )
    return text


def _result(step: str, code: int, output: Output) -> dict[str, Any]:
    """Return the result of a step that ended with `code`.

    Raises what Airflow retries, or AirflowFailException for good.
    """
    ending = f": {output.last_words}" if output.last_words else "; it said nothing on stderr."
    if code == GiveUp.exit_code:
        raise AirflowFailException(f"{step} gave up{ending}")
    if code == TryAgain.exit_code:
        raise AirflowException(f"{step} wants to be tried again{ending}")
    if code < 0:
        raise AirflowException(f"{step} was {_signal_in_words(-code)}. Its last words{ending}")
    if code != 0:
        raise AirflowException(f"{step} crashed (exit {code}){ending}")
    result = output.result
    if result is None:
        raise AirflowException(f"{step} ended without a result record on stdout{ending}")
    size = len(json.dumps(result))
    if size > XCOM_LIMIT:
        raise AirflowFailException(
            f"{step} returned {size} bytes, more than {XCOM_LIMIT}; a result must carry references,"
            " not data."
        )
    return result


def _signal_in_words(number: int) -> str:
    """Return in words what a signal says."""
    words: dict[int, str] = {
        signal.SIGKILL: "out of memory or killed by hand",
        signal.SIGTERM: "asked to end, by Airflow or by hand",
        signal.SIGSEGV: "a crash in native code",
        signal.SIGABRT: "a native library gave up",
        signal.SIGBUS: "a crash in native code, or a full disk under a mapped file",
    }
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"killed (-{number}): {words.get(number, name)}"
