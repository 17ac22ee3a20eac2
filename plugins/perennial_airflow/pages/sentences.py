"""The ledger's entries in words: what was decided, why, and where to read more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from perennial_airflow.dag_names import DRIFT, PROVE, RETRAIN, ROLLBACK, dag_name
from perennial_airflow.links import incidents_path, page_path, run_path, why_path
from pipelines.incidents.words import say_event
from pipelines.intervals import SNAPSHOT, iso
from pipelines.ledger import (
    Admission,
    Alert,
    Approval,
    Crown,
    DriftCheck,
    Erasure,
    Features,
    GateVerdict,
    IncidentEvent,
    Ingest,
    Outcome,
    Override,
    PageRemoval,
    Proof,
    Quarantine,
    Reconciliation,
    ReleaseIntent,
    ReleaseRefusal,
    RetrainHold,
    RetrainRequest,
    SchemaChange,
    StepOfRun,
    Training,
    Turn,
)
from pipelines.run_names import ROLLBACK as ROLLBACK_KEY
from pipelines.run_names import is_by_hand, pair_name, watch_run
from pipelines.verdicts import words
from pipelines.verdicts.explanations import in_short

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pipelines.intervals import Interval
    from pipelines.ledger import Entry
    from pipelines.store.pages import PageKind

    HasPage = Callable[[str, PageKind, str], bool]

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
    "equal": "good",
    "different": "bad",
    "approved": "good",
    "not_approved": "warn",
}


@dataclass(frozen=True)
class Words:
    """One entry in words: a badge, a sentence, and links (text, path below Airflow)."""

    badge: str
    tone: Tone
    text: str
    links: list[tuple[str, str]] = field(default_factory=list)
    pages: list[tuple[str, PageKind, str]] = field(default_factory=list)
    """The pages of runs that tell more: what each is called, its kind, its run."""

    def links_to(self, model: str, has_page: HasPage) -> list[tuple[str, str]]:
        """Return the pages that are there, and the links. Most kinds of pages are not of every run:
        an earlier Perennial wrote no cards, and a run without a challenger has none.
        """
        pages = [page for page in self.pages if has_page(model, *page[1:])]
        return [(name, page_path(model, kind, run)) for name, kind, run in pages] + self.links


def describe_entry(entry: Entry) -> Words:  # noqa: C901,PLR0911,PLR0912 -- a case for each kind
    """Return an entry in words.

    An entry of a kind or a shape that is not known here shows its plain fields.
    """
    match entry.decision:
        case GateVerdict() as verdict:
            return _verdict(entry, verdict)
        case DriftCheck() as check:
            return _drift(entry, check)
        case RetrainRequest() as request:
            return _request(entry, request)
        case RetrainHold() as hold:
            text = _join("no retraining", hold.why or words.join(hold.reasons))
            return Words("held back", "plain", text, _runs(DRIFT, entry.model, entry.run))
        case Outcome() as outcome:
            return _outcome(entry, outcome)
        case Crown() as crown:
            text = f"version {crown.version} became champion with release {crown.release}"
            links = [*_link_run(entry), *_why(entry.model, crown.version)]
            return Words("champion", "good", text, links, _against(crown))
        case ReleaseIntent() as intent:
            text = _join(f"release {intent.number} with version {intent.version}", intent.reason)
            return Words("release", "plain", text, _link_run(entry))
        case ReleaseRefusal() as refusal:
            return Words("refused", "bad", refusal.difference, _link_run(entry))
        case Reconciliation() as reconciliation:
            return Words("reconciled", "warn", reconciliation.reason)
        case Quarantine() as quarantine:
            batch = (
                "the snapshot"
                if quarantine.interval == SNAPSHOT
                else f"the batch {span(quarantine.interval)}"
            )
            return Words("quarantine", "bad", _join(batch, words.join(quarantine.reasons)))
        case Admission() as admission:
            said = words.admission_entry(admission.interval.name, admission.by, admission.reason)
            return Words("admitted", "plain", said)
        case Proof() as proof:
            return _proof(entry, proof)
        case SchemaChange() as change:
            return Words("schema", "plain", _join("schema.yaml", words.join(change.changes)))
        case Approval() as answer:
            text = f"version {answer.version}: {words.answered(answer.by, answer.why)}"
            word = "approved" if answer.approved else "not_approved"
            return Words(*_badge(word), text, _link_run(entry))
        case Override() as over:
            text = words.override_entry(over.version, over.by, over.reason, over.reasons)
            return Words("override", "bad", text, _runs(RETRAIN, entry.model, over.refused_by))
        case PageRemoval() as removal:
            return Words("pages removed", "plain", removal.words)
        case Erasure() as erasure:
            return Words("erased", "bad" if erasure.left else "plain", erasure.words)
        case IncidentEvent() as event:
            tone: Tone = "good" if event.event == "closed" else "bad"
            path = incidents_path(entry.model)
            return Words("incident", tone, say_event(event), [("incidents", path)])
        case Alert() as alert:
            return Words("alert", "plain", alert.words)
        case Turn() as turn:
            badge = "held back" if turn.event == "declined" else "turn"
            return Words(badge, "plain", turn.words, _runs(RETRAIN, entry.model, turn.run))
        case StepOfRun() as step:
            return Words(entry.kind, "plain", step.words, _step_run(entry, step))
        case _:
            return Words(entry.kind.replace("_", " "), "plain", entry.summary)


def when(moment: datetime) -> str:
    """Return a moment as it is read."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def span(window: Interval) -> str:
    """Return a window's span: days where both ends are midnights, else moments."""
    ends = [
        iso(end).removesuffix("Z").replace("T", " ").removesuffix(":00")
        for end in (window.start, window.end)
    ]
    if all(end.endswith(" 00:00") for end in ends):
        ends = [end.removesuffix(" 00:00") for end in ends]
    return " to ".join(ends)


def _link_run(entry: Entry) -> list[tuple[str, str]]:
    """Return the link to the run that decided, a retraining or a rollback."""
    return _runs(RETRAIN, entry.model, entry.run)


def _step_run(entry: Entry, step: StepOfRun) -> list[tuple[str, str]]:
    """Return the link to the run that a step belongs to; none where that may be of either kind."""
    match step:
        case Ingest(purpose="drift"):
            return _runs(DRIFT, entry.model, step.run)
        case Ingest() | Features() | Training():
            return _link_run(entry)
        case _:
            return []


def _why(model: str, version: str) -> list[tuple[str, str]]:
    """Return the link to the page that says how a version came to be; none without a version."""
    return [("why", why_path(model, version))] if version else []


def _against(crown: Crown) -> list[tuple[str, PageKind, str]]:
    """Return the page of what differs from the champion before; none where there was none."""
    if crown.previous is None:
        return []
    # A rollback leads back, and the page was made when the later one was new.
    pair = sorted((crown.previous, crown.version), key=lambda v: (len(v), v))
    return [(f"against {crown.previous}", "versions", pair_name(*pair))]


def _runs(kind: str, model: str, run: str, name: str = "run") -> list[tuple[str, str]]:
    """Return the link to a run's page in Airflow; none where a command has made the run."""
    if is_by_hand(run):
        return []
    if run.startswith(ROLLBACK_KEY):
        kind, run = ROLLBACK, run.removeprefix(ROLLBACK_KEY)
    return [(name, run_path(dag_name(kind, model), run))]


def _badge(word: str) -> tuple[str, Tone]:
    return words.plain(word), _TONES.get(word, "plain")


def _join(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _verdict(entry: Entry, verdict: GateVerdict) -> Words:
    text = words.gate_entry(
        verdict.candidate,
        verdict.version,
        verdict.reasons,
        verdict.started_because,
        verdict.sampled,
    )
    kinds: tuple[PageKind, ...] = ("verdict", "card", "comparison", "validation")
    pages: list[tuple[str, PageKind, str]] = [(kind, kind, entry.run) for kind in kinds]
    links = [*_link_run(entry), *_why(entry.model, verdict.version)]
    return Words(*_badge(verdict.verdict), text, links, pages)


def _drift(entry: Entry, check: DriftCheck) -> Words:
    run = entry.run
    rows = words.rows_seen(check.rows, check.source, check.labelled, check.champion, check.of)
    score = words.live_score(check.metric, check.live, check.expected)
    facts = "; ".join(filter(None, [rows, score]))
    pages: list[tuple[str, PageKind, str]] = [
        ("drift", "drift", run),
        ("Evidently", "evidently", run),
        ("validation", "validation", watch_run(run)),
    ]
    text = _join(f"window {span(check.window)}", words.join(check.reasons)) + f" ({facts})"
    text += "".join(f"; {line}" for line in in_short(check.cause, check.effect))
    return Words(*_badge(check.verdict), text, _runs(DRIFT, entry.model, run), pages)


def _proof(entry: Entry, proof: Proof) -> Words:
    text = words.proof(proof.version, proof.differences, proof.causes, proof.rows)
    links = _runs(PROVE, entry.model, entry.run)
    return Words(*_badge(proof.verdict), text, links, [("proof", "proof", entry.run)])


def _request(entry: Entry, request: RetrainRequest) -> Words:
    text = f"a retraining was asked for, window {span(request.window)}"
    links = _runs(RETRAIN, entry.model, request.run_id)
    if request.asked_by:
        links += _runs(DRIFT, entry.model, request.asked_by, "asked by")
    return Words("retrain", "warn", _join(text, words.join(request.reasons)), links)


def _outcome(entry: Entry, outcome: Outcome) -> Words:
    version = f", version {outcome.version}" if outcome.version else ""
    text = _join(f"the retraining ended{version}", words.join(outcome.reasons))
    return Words(*_badge(outcome.outcome), text, _link_run(entry))
