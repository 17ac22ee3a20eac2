"""The task that asks a person, in Airflow, whether a promoted version may serve."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskAwaitingInput,
)

from perennial_airflow.links import ModelLink, PageLink, airflow_path, model_path, page_path
from perennial_airflow.places.step_operator import resolve
from pipelines.errors import GiveUp, PerennialError
from pipelines.intervals import iso
from pipelines.messages import GateResult
from pipelines.settings import load_settings
from pipelines.spec.units import duration_text
from pipelines.verdicts import words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context

APPROVE, REJECT = "Approve", "Reject"


class AskApproval(HITLOperator):
    """Asks whether the version that the gate promoted may serve; no answer in time is a no.

    It gives what was answered, by whom and when, and on which version; a step writes it down.
    Is skipped where the gate refused, and where the ledger has an answer in this run already: a
    run asks once, however often it is cleared. Nothing here goes through Jinja.
    """

    template_fields: Sequence[str] = ()
    operator_extra_links = (PageLink("verdict"), ModelLink())
    ui_color = "#fff6d6"

    def __init__(
        self,
        *,
        model: str,
        gate: Any,
        approvers: Sequence[str],
        within: timedelta,
        **kwargs: Any,
    ) -> None:
        """Remember whom to ask, and where `gate` puts its result (its `output`, or the result)."""
        super().__init__(
            subject=f"May a new version of {model} serve?",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            response_timeout=within,
            assigned_users=[{"id": name, "name": name} for name in approvers] or None,
            **kwargs,
        )
        self.model = model
        self.gate = gate
        self.within = within

    def execute(self, context: Context) -> Any:
        """Ask, with the verdict in words, and wait without holding a worker."""
        run, result = context["run_id"], self._promotion(context)
        if answer := _find_answer(self.model, run):
            raise AirflowSkipException(f"Answered already: {answer}.")
        until = datetime.now(UTC) + self.within
        self.subject = f"May version {int(result.version)} of {self.model} serve?"
        self.body = question(self.model, run, result, self.within)
        try:
            return super().execute(context)
        except TaskAwaitingInput as wait:
            wait.kwargs = {"version": result.version, "until": iso(until)}
            raise

    def execute_complete(
        self, context: Context, event: dict[str, Any], version: str = "", until: str = ""
    ) -> dict[str, str]:
        """Return the answer as the step `approve` takes it."""
        answer = super().execute_complete(context, event)
        user = answer["responded_by_user"] or {}
        # Airflow itself answers a question that nobody answered in time, as nobody
        return {
            "version": version,
            "choice": answer["chosen_options"][0] if answer["chosen_options"] else REJECT,
            "by": str(user.get("name") or user.get("id") or "")[:200],
            "by_id": str(user.get("id") or "")[:200],
            "at": iso(answer["responded_at"]),
            "until": until,
        }

    def _promotion(self, context: Context) -> GateResult:
        """Return the verdict. Raises AirflowSkipException where it is a refusal."""
        value = resolve(self.gate, context)
        if value is None:
            raise AirflowFailException("There is no verdict. Remedy: clear the task `gate`.")
        result = GateResult.model_validate(value)
        if result.verdict != "promote":
            raise AirflowSkipException(words.refusal(result.candidate, result.reasons))
        return result


def _find_answer(model: str, run: str) -> str:
    """Return in words how a run's question was answered; empty where the ledger has no answer."""
    # Loaded by the task alone: what Airflow parses knows no ledger
    from pipelines.approvals import find
    from pipelines.ports import ConfiguredPorts

    try:
        answer = find(ConfiguredPorts(load_settings()).ledger, model, run)
    except GiveUp as error:
        raise AirflowFailException(str(error)) from error
    except PerennialError as error:
        raise AirflowException(str(error)) from error
    return words.answered(answer.by, answer.why) if answer else ""


def question(model: str, run: str, result: GateResult, within: timedelta) -> str:
    """Return the question in Markdown.

    All that a run, a spec or a model has named stands in indented blocks of code, in which nothing
    is a link, a picture or HTML; one for each fact, for Airflow shows a block in one line.
    """
    champion = result.champion
    facts = [
        f"run {run}",
        f"judged {words.opponent(result)}",
        *(line.text.strip() for line in words.gate(result)),
        *(
            f"{name}: {words.with_unit(value, result.units.get(name, ''))}"
            for name, value in result.metrics.items()
        ),
    ]
    page = airflow_path() + page_path(model, "verdict", run)
    history = airflow_path() + model_path(model)
    return "\n".join(
        [
            "The gate promoted it; it serves only if you approve.",
            f"If nobody answers within {duration_text(within)}, {words.what_serves(champion)}.",
            "",
            f"[The verdict's page]({page}) · [The model's history]({history})",
            "",
            *(f"-     {_in_one_line(fact)}" for fact in facts),
        ]
    )


def _in_one_line(text: str) -> str:
    """Return a text without line breaks and characters that do not show or turn the line."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
