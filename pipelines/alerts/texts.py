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
    from pipelines.alerts.incidents import Event, Incident
    from pipelines.alerts.routes import About, Routes
    from pipelines.settings import Settings

State = Literal["open", "over"]
Tone = Literal["failure", "warning", "success"]

_SIGN = re.compile(r"<(?=\S)")
"""What could begin a tag, or a call such as `<!channel>`."""

TITLE, REASON, REASONS = 120, 300, 5
"""Characters of a title and of one reason, and reasons of a message."""

_BEGAN: dict[About, str] = {
    "failed": "a retraining or a release failed",
    "refused": "a challenger was refused",
    "data": "a batch broke its expectations",
    "alarm": "a drift check raised an alarm",
    "late": "a drift check has not run",
}
_ENDED: dict[About, str] = {
    "failed": "retraining works again",
    "refused": "",
    "data": "batches are good again",
    "alarm": "the alarm is over",
    "late": "drift is checked again",
}
_TO_DO: dict[About, str] = {
    "failed": (
        "Open the run, mend the cause that its log names, and clear the failed tasks; do not"
        " trigger it anew."
    ),
    "refused": (
        "Nothing has to be done. Look at the verdict if you expected a better model; the champion"
        " serves on."
    ),
    "data": (
        "Look at the batch in quarantine and mend its source. Nothing is learnt from it until then."
    ),
    "alarm": "Look at the drift page and mend what is broken. No retraining was started.",
    "late": (
        "See whether Airflow and its scheduler run, whether drift_{model} is paused, and whether"
        " its last run failed before the task `drift`."
    ),
}


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
    what = _ENDED[incident.about] if over else _BEGAN[incident.about]
    lines = [f"{incident.model}: {what} ({iso(event.at.replace(microsecond=0))})."]
    lines += [f"- {plain(reason, REASON)}" for reason in event.reasons[:REASONS]]
    if len(event.reasons) > REASONS:
        lines.append(f"- and {len(event.reasons) - REASONS} more")
    if over:
        lines.append(f"It began at {iso(incident.opened.at.replace(microsecond=0))}.")
    else:
        lines.append(f"What serves: {what_serves(champion)}.")
        lines.append("What to do: " + _TO_DO[incident.about].format(model=incident.model))
        if incident.about != "refused":
            lines.append("There will be one more message, when it is over.")
    lines += _links(incident, event, routes, settings)
    if owner:
        lines.append(f"Owner: {plain(owner, REASON)}")
    return Message(
        title=plain(f"[{incident.model}] {what}", TITLE),
        body="\n".join(lines),
        tone="success" if over else "warning" if incident.about == "refused" else "failure",
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
    run = event.run
    if incident.page and run and not (incident.about == "late" and event is incident.opened):
        paths["Page"] = f"/perennial/pages/{incident.model}/{incident.page}/{quote(run, safe='')}"
    if run and not is_by_hand(run):
        dag, name = _airflow_run(incident, run)
        paths["Run"] = f"/dags/{dag}/runs/{quote(name, safe='')}" if name else f"/dags/{dag}"
    elif incident.about in {"late", "data"}:
        paths["Runs"] = f"/dags/drift_{incident.model}"
    paths["Model"] = f"/perennial/models/{incident.model}"
    return [f"{name}: {routes.page(path, settings)}" for name, path in paths.items()]


def _airflow_run(incident: Incident, run: str) -> tuple[str, str]:
    """Return the DAG and the run in which it happened; no run where Airflow knows none."""
    if run.startswith(ROLLBACK):
        return f"rollback_{incident.model}", run.removeprefix(ROLLBACK)
    kind = "drift" if incident.about in {"alarm", "late"} else "retrain"
    return f"{kind}_{incident.model}", "" if run.startswith((PROMOTION, OVERRIDE)) else run


def plain(text: str, most: int) -> str:
    """Return a text in one line and cut, in which nothing calls people or begins a tag."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    line = _SIGN.sub("< ", line.replace("@", "(at)"))
    return line if len(line) <= most else line[: most - 1] + "…"
