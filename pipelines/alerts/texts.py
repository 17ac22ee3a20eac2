"""The messages: plain words, what to do, and where to look.

A message is short, since it is read on a telephone. Reasons come from data, specs and libraries:
they are shown in one line, without what a chat or a mail would take for a sign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from pipelines.intervals import iso
from pipelines.run_names import OVERRIDE, PROMOTION, ROLLBACK, is_by_hand
from pipelines.verdicts.words import what_serves

if TYPE_CHECKING:
    from pipelines.alerts.incidents import Event, Incident, Matter
    from pipelines.alerts.routes import Routes
    from pipelines.settings import Settings

State = Literal["open", "over"]
Tone = Literal["failure", "warning", "success"]

_SIGN = re.compile(r"<(?=\S)")
"""What could begin a tag, or a call such as `<!channel>`."""

TITLE, REASON, REASONS = 120, 300, 5
"""Characters of a title and of one reason, and reasons of a message."""

_BEGAN: dict[Matter, str] = {
    "retraining": "a retraining failed",
    "deployment": "a promoted version does not serve",
    "rollback": "a rollback failed",
    "refusal": "a challenger was refused",
    "stopped": "no more retrainings: challengers were refused in a row",
    "data": "a batch broke its expectations",
    "alarm": "a drift check raised an alarm",
    "check": "a drift check has not run",
}
_ENDED: dict[Matter, str] = {
    "retraining": "retraining works again",
    "deployment": "deploying works again",
    "rollback": "a version became champion again",
    "refusal": "",
    "stopped": "retrainings may start again",
    "data": "batches are good again",
    "alarm": "the alarm is over",
    "check": "drift is checked again",
}
_MEND = "Open the run, mend the cause that its log names, and clear the failed tasks;"
_TO_DO: dict[Matter, str] = {
    "retraining": f"{_MEND} do not trigger it anew.",
    "deployment": f"{_MEND} do not trigger it anew.",
    "rollback": "Go back to another release: `perennial rollback {model} --to N`.",
    "refusal": "Nothing has to be done; the verdict's page says what would have passed.",
    "stopped": (
        "Look at the verdicts. When the model can be bettered again, close the incident, which lets"
        " the policy start retrainings."
    ),
    "data": "Look at the batch in quarantine and mend its source; nothing is learnt from it.",
    "alarm": "Look at the drift page and mend what is broken. No retraining was started.",
    "check": (
        "See whether Airflow and its scheduler run, whether drift_{model} is paused, and whether"
        " its last run failed before the task `drift`."
    ),
}
_PAGES: dict[Matter, str] = {"refusal": "verdict", "stopped": "verdict", "alarm": "drift"}
"""The kind of the run's page that shows more."""


@dataclass(frozen=True)
class Message:
    """What a service is handed: a title of one line, a body of a few."""

    title: str
    body: str
    tone: Tone


def message_of(
    incident: Incident,
    state: State,
    *,
    owner: str,
    champion: str | None,
    routes: Routes,
    settings: Settings,
) -> Message:
    """Return the message that says that an incident has begun, or that it is over."""
    over = incident.over if state == "over" else None
    event = over or incident.opened
    what = _ENDED[incident.matter] if over else _BEGAN[incident.matter]
    lines = [f"{incident.model}: {what} ({iso(event.at.replace(microsecond=0))})."]
    lines += [f"- {plain(reason, REASON)}" for reason in event.reasons[:REASONS]]
    if len(event.reasons) > REASONS:
        lines.append(f"- and {len(event.reasons) - REASONS} more")
    if over:
        lines.append(f"It began at {iso(incident.opened.at.replace(microsecond=0))}.")
    else:
        lines.append(f"What serves: {what_serves(champion)}.")
        lines.append("What to do: " + _TO_DO[incident.matter].format(model=incident.model))
        if incident.matter != "refusal":
            lines.append("There will be one more message, when it is over for good.")
        if number := incident.number:
            answer = f"perennial incident {incident.model} {number} ack (or snooze, close)"
            lines.append(f"To answer: {answer}")
    lines += _links(incident, event, routes, settings)
    if owner:
        lines.append(f"Owner: {plain(owner, REASON)}")
    return Message(
        title=plain(f"[{incident.model}] {what}", TITLE),
        body="\n".join(lines),
        tone="success" if over else "warning" if incident.matter == "refusal" else "failure",
    )


def example(name: str, routes: Routes, settings: Settings) -> Message:
    """Return the message by which a route is tried out."""
    return Message(
        title=f"[perennial] this is a test of the route {name}",
        body=(
            "Nothing has happened. Messages of Perennial arrive here.\n"
            f"Airflow: {routes.page('/', settings)}"
        ),
        tone="success",
    )


def _links(incident: Incident, event: Event, routes: Routes, settings: Settings) -> list[str]:
    paths = {}
    run, page = event.run, _PAGES.get(incident.matter)
    if page and run:
        paths["Page"] = f"/perennial/pages/{incident.model}/{page}/{quote(run, safe='')}"
    if run and not is_by_hand(run):
        dag, name = _airflow_run(incident, run)
        paths["Run"] = f"/dags/{dag}/runs/{quote(name, safe='')}" if name else f"/dags/{dag}"
    elif incident.matter in {"check", "data"}:
        paths["Runs"] = f"/dags/drift_{incident.model}"
    if incident.number:
        paths["Incidents"] = f"/perennial/incidents/{incident.model}"
    paths["Model"] = f"/perennial/models/{incident.model}"
    return [f"{name}: {routes.page(path, settings)}" for name, path in paths.items()]


def _airflow_run(incident: Incident, run: str) -> tuple[str, str]:
    """Return the DAG and the run in which it happened; no run where Airflow knows none."""
    if run.startswith(ROLLBACK):
        return f"rollback_{incident.model}", run.removeprefix(ROLLBACK)
    kind = "drift" if incident.matter == "alarm" else "retrain"
    return f"{kind}_{incident.model}", "" if run.startswith((PROMOTION, OVERRIDE)) else run


def plain(text: str, most: int) -> str:
    """Return a text in one line and cut, in which nothing calls people or begins a tag."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    line = _SIGN.sub("< ", line.replace("@", "(at)"))
    return line if len(line) <= most else line[: most - 1] + "…"
