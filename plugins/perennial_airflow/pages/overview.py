"""The first page: every model that the user may read, the worst first, 50 at a time.

And the same for programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from perennial_airflow.links import URL_PREFIX, airflow_path
from perennial_airflow.pages.access import TheReader  # noqa: TC001 -- FastAPI reads annotations
from perennial_airflow.pages.records import TheRecords  # noqa: TC001
from perennial_airflow.pages.responses import HEADERS, page_response
from pipelines.fleet import STATES, Sort, choose, say_cost, say_turn, sort_states
from pipelines.mlflow_pages import experiments_page, mlflow_address
from pipelines.spec.folders import SLOW_SECONDS, say_slow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.fleet import ModelState

PAGE = 50
"""Models on one page."""
LONGEST = 200
"""Characters of a search."""
TONES = {
    "broken": "bad",
    "red": "bad",
    "late": "warn",
    "drifting": "warn",
    "new": "plain",
    "fine": "good",
}

router = APIRouter()
Words = Annotated[str, Query(max_length=LONGEST)]


@router.get("/")
def overview(
    reader: TheReader,
    model_records: TheRecords,
    q: Words = "",
    owner: Words = "",
    tag: Words = "",
    state: Words = "",
    sort: Sort = "state",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show how the models stand that the user may read, and what serves."""
    seconds: dict[str, float] = {}
    good, errors = model_records.specs(seconds)
    names = [name for name in sorted({*good, *errors}) if reader.may_read(name)]
    good = {name: good[name] for name in names if name in good}
    errors = {name: errors[name] for name in names if name in errors}
    fleet = model_records.fleet(good, errors)
    chosen = choose(fleet, words=q, owner=owner, tag=tag, state=state)
    chosen = sort_states(chosen, sort)
    shown = chosen[(page - 1) * PAGE : page * PAGE]
    asked = {"q": q, "owner": owner, "tag": tag, "state": state, "sort": sort}
    base = mlflow_address(model_records.settings)
    return page_response(
        "overview",
        title="Models",
        cards=list(
            zip(shown, model_records.states([s.model for s in shown], good, errors), strict=True)
        ),
        mlflow=experiments_page(base) if base else None,
        total=len(fleet),
        found=len(chosen),
        counts=_counts(fleet, {**asked, "state": ""}),
        owners=sorted({s.owner for s in fleet if s.owner}),
        tags=sorted({tag for s in fleet for tag in s.tags}),
        states=STATES,
        sorts=("state", "model", "owner", "cost"),
        tones=TONES,
        say_cost=say_cost,
        say_turn=say_turn,
        asked=asked,
        first=(page - 1) * PAGE + 1,
        before=_path({**asked, "page": page - 1}) if page > 1 else None,
        after=_path({**asked, "page": page + 1}) if page * PAGE < len(chosen) else None,
        slow=[
            say_slow(f"models/{name}", seconds[name])
            for name in sorted(names, key=lambda n: -seconds.get(n, 0))
            if seconds.get(name, 0) > SLOW_SECONDS
        ],
    )


@router.get("/api/fleet")
def fleet_answer(
    reader: TheReader,
    model_records: TheRecords,
    q: Words = "",
    owner: Words = "",
    tag: Words = "",
    state: Words = "",
    sort: Sort = "state",
) -> Response:
    """Answer how the models stand that the user may read, as `perennial fleet --json` does."""
    good, errors = model_records.specs()
    fleet = model_records.fleet(
        {name: spec for name, spec in good.items() if reader.may_read(name)},
        {name: error for name, error in errors.items() if reader.may_read(name)},
    )
    chosen = choose(fleet, words=q, owner=owner, tag=tag, state=state)
    found = [s.model_dump(mode="json") for s in sort_states(chosen, sort)]
    return JSONResponse(found, headers=HEADERS)


def _counts(fleet: Iterable[ModelState], asked: dict[str, str]) -> list[tuple[str, int, str]]:
    """Return each state that a model is in, how many are, and the page that shows them."""
    found = [s.state for s in fleet]
    return [
        (state, found.count(state), _path({**asked, "state": state}))
        for state in STATES
        if state in found
    ]


def _path(asked: dict[str, str | int]) -> str:
    """Return the page that answers this question."""
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{airflow_path()}{URL_PREFIX}/?{query}"
