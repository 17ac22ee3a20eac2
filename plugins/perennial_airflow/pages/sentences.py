"""The ledger's entries in words: what was decided, why, and where to read more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from perennial_airflow.dag_names import DRIFT, RETRAIN, ROLLBACK, dag_name
from perennial_airflow.links import page_path, run_path
from pipelines.run_names import ROLLBACK as ROLLBACK_KEY
from pipelines.run_names import is_by_hand, watch_run
from pipelines.verdicts import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pipelines.ledger import Entry

Tone = Literal["good", "warn", "bad", "plain"]

_TONES: dict[str, Tone] = {
    "promote": "good",
    "refuse": "warn",
    "no_drift": "good",
    "drift": "warn",
    "not_enough_data": "plain",
    "alarm": "bad",
    "deployed": "good",
    "refused": "warn",
    "failed": "bad",
}

_LATER = re.compile(r"~\d+$")


@dataclass(frozen=True)
class Words:
    """One entry in words: a badge, a sentence, and links (text, path below Airflow)."""

    badge: str
    tone: Tone
    text: str
    links: list[tuple[str, str]] = field(default_factory=list)


def in_words(entry: Entry) -> Words:
    """Return an entry in words.

    An entry of a kind that is not known here shows its plain fields.
    """
    return _KINDS.get(entry.kind, _other)(entry, entry.body)


def when(moment: datetime) -> str:
    """Return a moment as it is read."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def why(body: Mapping[str, Any]) -> str:
    """Return an entry's reasons in one line."""
    reasons = body.get("reasons") or [body.get("why") or body.get("reason") or ""]
    return words.join(reasons)


def span(window: object) -> str:
    """Return a window's span: days where both ends are midnights, else moments."""
    if not isinstance(window, dict):
        return ""
    ends = [
        str(window.get(end, "")).removesuffix("Z").replace("T", " ").removesuffix(":00")
        for end in ("start", "end")
    ]
    if all(end.endswith(" 00:00") for end in ends):
        ends = [end.removesuffix(" 00:00") for end in ends]
    return " to ".join(ends)


def _run(entry: Entry) -> str:
    """Return the run that decided.

    Where a run decided once more, its key has another number at the end.
    """
    return str(entry.body.get("run") or _LATER.sub("", entry.key))


def _runs(kind: str, model: str, run: str, name: str = "run") -> list[tuple[str, str]]:
    """Return the link to a run's page in Airflow; none where a command has made the run."""
    if is_by_hand(run):
        return []
    if run.startswith(ROLLBACK_KEY):
        kind, run = ROLLBACK, run.removeprefix(ROLLBACK_KEY)
    return [(name, run_path(dag_name(kind, model), run))]


def _pages(model: str, run: str, *kinds: tuple[str, str]) -> list[tuple[str, str]]:
    return [(name, page_path(model, kind, run)) for kind, name in kinds]


def _badge(word: object) -> tuple[str, Tone]:
    return words.plain(str(word)), _TONES.get(str(word), "plain")


def _joined(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _verdict(entry: Entry, body: Mapping[str, Any]) -> Words:
    run = _run(entry)
    text = words.gate_entry(
        body.get("candidate"),
        body.get("version"),
        body.get("reasons") or [],
        body.get("started_because") or "",
    )
    links = [
        *_pages(entry.model, run, ("verdict", "verdict"), ("validation", "validation")),
        *_runs(RETRAIN, entry.model, run),
    ]
    return Words(*_badge(body.get("verdict")), text, links)


def _drift(entry: Entry, body: Mapping[str, Any]) -> Words:
    run = _run(entry)
    rows = words.rows_seen(
        body.get("rows"), body.get("source"), body.get("labelled"), body.get("champion")
    )
    score = words.live_score(str(body.get("metric")), body.get("live"), body.get("expected"))
    facts = "; ".join(filter(None, [rows, score]))
    evidently = [("evidently", "Evidently")] if body.get("evidently") else []
    pages = _pages(entry.model, run, ("drift", "drift"), *evidently) + _pages(
        entry.model, watch_run(run), ("validation", "validation")
    )
    text = _joined(f"window {span(body.get('window'))}", why(body)) + f" ({facts})"
    return Words(*_badge(body.get("verdict")), text, [*pages, *_runs(DRIFT, entry.model, run)])


def _request(entry: Entry, body: Mapping[str, Any]) -> Words:
    text = _joined(f"a retraining was asked for, window {span(body.get('window'))}", why(body))
    links = _runs(RETRAIN, entry.model, str(body.get("run_id")))
    if body.get("asked_by"):
        links += _runs(DRIFT, entry.model, str(body["asked_by"]), "asked by")
    return Words("retrain", "warn", text, links)


def _held(entry: Entry, body: Mapping[str, Any]) -> Words:
    return Words(
        "held back",
        "plain",
        _joined("no retraining", str(body.get("why") or why(body))),
        _runs(DRIFT, entry.model, _run(entry)),
    )


def _outcome(entry: Entry, body: Mapping[str, Any]) -> Words:
    version = f"version {body['version']}" if body.get("version") else ""
    text = _joined(f"the retraining ended{', ' if version else ''}{version}", why(body))
    return Words(*_badge(body.get("outcome")), text, _runs(RETRAIN, entry.model, _run(entry)))


def _champion(entry: Entry, body: Mapping[str, Any]) -> Words:
    text = f"version {body.get('version')} became champion with release {body.get('release')}"
    return Words("champion", "good", text, _runs(RETRAIN, entry.model, _run(entry)))


def _release(entry: Entry, body: Mapping[str, Any]) -> Words:
    text = _joined(f"release {body.get('number')} with version {body.get('version')}", why(body))
    return Words("release", "plain", text, _runs(RETRAIN, entry.model, _run(entry)))


def _release_refused(entry: Entry, body: Mapping[str, Any]) -> Words:
    return Words(
        "refused", "bad", str(body.get("difference")), _runs(RETRAIN, entry.model, _run(entry))
    )


def _reconciled(_: Entry, body: Mapping[str, Any]) -> Words:
    return Words("reconciled", "warn", why(body))


def _quarantine(_: Entry, body: Mapping[str, Any]) -> Words:
    return Words("quarantine", "bad", _joined(f"the batch {span(body.get('interval'))}", why(body)))


def _other(entry: Entry, body: Mapping[str, Any]) -> Words:
    fields = [
        f"{k} {v}" for k, v in body.items() if isinstance(v, str | int) and not isinstance(v, bool)
    ]
    return Words(entry.kind.replace("_", " "), "plain", ", ".join(fields))


_KINDS: dict[str, Callable[[Entry, Mapping[str, Any]], Words]] = {
    "verdict": _verdict,
    "drift": _drift,
    "retrain_request": _request,
    "retrain_held": _held,
    "outcome": _outcome,
    "champion": _champion,
    "release": _release,
    "release_refused": _release_refused,
    "reconciled": _reconciled,
    "quarantine": _quarantine,
}
