"""What is wrong with a model, as a page and for programs, and a person's answer to it.

Whoever may read a model's retrain DAG sees its incidents; whoever may edit that DAG answers them,
in their own name. A page of another site cannot: Airflow's cookie is not sent with its requests,
and a browser that says where a request comes from is believed.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from airflow.api_fastapi.core_api.security import GetUserDep  # noqa: TC002 -- FastAPI reads it
from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from perennial_airflow.links import airflow_path, incidents_path, model_path
from perennial_airflow.pages.access import TheReader, expect_model
from perennial_airflow.pages.records import TheRecords  # noqa: TC001 -- likewise
from perennial_airflow.pages.responses import HEADERS, page_response
from pipelines.errors import RequestError
from pipelines.incidents import acknowledge, all_incidents, close, snooze
from pipelines.incidents.words import NAMES, TO_DO, say_seen, say_state
from pipelines.spec.units import parse_duration

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.incidents import Incident
    from pipelines.ledger import Ledger

router = APIRouter()
NEWEST = 100
"""Incidents that the page shows."""


class Answer(BaseModel):
    """A person's answer; `lasting` is how long it is snoozed."""

    model_config = ConfigDict(extra="forbid")

    answer: Literal["ack", "snooze", "close"]
    reason: Annotated[str, Field(min_length=1, max_length=1_000)]
    lasting: Annotated[str, Field(max_length=20, alias="for")] = "1d"


def expect_same_site(request: Request) -> None:
    """Raise HTTPException where a browser says that another site's page asks."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(HTTPStatus.FORBIDDEN, "Another site's page may not answer.")


@router.get("/incidents/{model}")
def incidents_page(model: str, reader: TheReader, model_records: TheRecords) -> Response:
    """Show what is wrong with a model, and what was."""
    expect_model(reader, model)
    found = all_incidents(model_records.ports.ledger, model, model_records.now())[::-1]
    return page_response(
        "incidents",
        title=f"Incidents of {model}",
        model=model,
        here="incidents",
        may_answer=reader.may_edit(model),
        path=airflow_path() + incidents_path(model),
        open_ones=[_shown(i) for i in found if not i.is_over],
        over=[_shown(i) for i in found if i.is_over][:NEWEST],
        back=airflow_path() + model_path(model),
    )


@router.get("/api/{model}/incidents")
def incidents_answer(
    model: str,
    reader: TheReader,
    model_records: TheRecords,
    *,
    everything: bool = False,
) -> Response:
    """Answer with the incidents of a model, oldest first; `everything`: those that are over too."""
    expect_model(reader, model)
    found = all_incidents(model_records.ports.ledger, model, model_records.now())
    return _json([_as_json(i) for i in found if everything or not i.is_over])


@router.post("/api/{model}/incidents/{number}", dependencies=[Depends(expect_same_site)])
def answer_incident(
    model: str,
    number: int,
    answer: Answer,
    reader: TheReader,
    user: GetUserDep,
    model_records: TheRecords,
) -> Response:
    """Answer an incident in the name of the user: `{"answer": "ack", "reason": "…"}`."""
    expect_model(reader, model)
    reader.expect_edit(model)
    ledger, now = model_records.ports.ledger, model_records.now()
    return _json(_as_json(_carry_out(ledger, model, number, answer, user.get_name(), now)))


@router.post("/incidents/{model}/{number}", dependencies=[Depends(expect_same_site)])
def answer_on_page(
    model: str,
    number: int,
    reader: TheReader,
    user: GetUserDep,
    model_records: TheRecords,
    answer: Annotated[Literal["ack", "snooze", "close"], Form()],
    reason: Annotated[str, Form(min_length=1, max_length=1_000)],
    lasting: Annotated[str, Form(alias="for", max_length=20)] = "1d",
) -> Response:
    """Answer an incident by the page's form, and lead back to it."""
    expect_model(reader, model)
    reader.expect_edit(model)
    said = Answer.model_validate({"answer": answer, "reason": reason, "for": lasting})
    ledger, now = model_records.ports.ledger, model_records.now()
    _carry_out(ledger, model, number, said, user.get_name(), now)
    return RedirectResponse(
        airflow_path() + incidents_path(model), HTTPStatus.SEE_OTHER, headers=HEADERS
    )


def _carry_out(
    ledger: Ledger, model: str, number: int, said: Answer, by: str, now: datetime
) -> Incident:
    """Return the answered incident. Raises HTTPException where it takes no such answer."""
    try:
        if said.answer == "ack":
            return acknowledge(ledger, model, number, by=by, reason=said.reason, now=now)
        if said.answer == "close":
            return close(ledger, model, number, by=by, reason=said.reason, now=now)
        until = now + parse_duration(said.lasting)
        return snooze(ledger, model, number, until=until, by=by, reason=said.reason, now=now)
    except (RequestError, ValueError) as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error


def _shown(incident: Incident) -> dict[str, Any]:
    """Return an incident as the page shows it."""
    return {
        "number": incident.number,
        "what": NAMES[incident.what],
        "cause": incident.cause,
        "words": incident.words,
        "state": say_state(incident),
        "tone": "good" if incident.is_over else "warn" if incident.state != "open" else "bad",
        "seen": say_seen(incident),
        "to_do": TO_DO[incident.what],
    }


def _as_json(incident: Incident) -> dict[str, Any]:
    return {**incident.model_dump(mode="json"), "to_do": TO_DO[incident.what]}


def _json(body: Any) -> Response:
    return JSONResponse(body, headers=HEADERS)
