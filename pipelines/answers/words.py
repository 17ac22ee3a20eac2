"""Answers as lines that someone who was woken up can read: a title and a text for each.

Commands and pages take their words from here. A text may hold anything that a spec, a run or a
request brought along: `on_one_line` shows control characters, and sends none to a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.ledger import Approval
from pipelines.plurals import how_many
from pipelines.verdicts import words
from pipelines.verdicts.explanations import cause_words, effect_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipelines.answers.lineage import Resting
    from pipelines.answers.origins import Answer, AskingCheck, ErasedRows, Judgement, Origin
    from pipelines.answers.predictions import AnsweredRow
    from pipelines.answers.service import Served, Turn

Line = tuple[str, str]
HASH = 12
"""Characters of a hash that people compare; --json has them all."""


def on_one_line(text: object) -> str:
    """Return a text without line breaks and control characters, which are shown as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def say_served(served: Served, now: datetime) -> list[Line]:
    """Return who served at a moment, and why."""
    turn = served.turn
    lines = [("asked", f"{iso(served.at)}{', which is yet to come' * (served.at > now)}")]
    if turn is None:
        lines.append(("served", "nothing"))
    else:
        lines.append(("served", f"version {turn.version}, release {turn.release}"))
        lines.append(("since", span(turn)))
        lines += [("because", reason) for reason in served.why]
    if served.clock_went_back:
        lines.append(("note", "the clock went backwards between entries: the order is the chain's"))
    return lines


def span(turn: Turn) -> str:
    """Return a turn's time, with the entry that began it."""
    until = f"until {iso(turn.until.replace(microsecond=0))}" if turn.until else "and still does"
    return f"{iso(turn.since.replace(microsecond=0))} {until} (entry {turn.entry})"


def say_origin(origin: Origin) -> list[Line]:
    """Return how a version came to be; its batches are counted, not named."""
    lines = [line for verdict in origin.verdicts for line in _verdict(verdict)]
    lines += [
        ("asked for", f"window until {iso(r.window.end)}: {words.join(r.reasons)}")
        for r in origin.requests
    ]
    lines += [line for check in origin.checks for line in _check(check)]
    lines += [("by a person", _answer(answer)) for answer in origin.answers]
    lines += [("served", f"release {t.release}, since {span(t)}") for t in origin.served]
    if not origin.served:
        lines.append(("served", "never"))
    lines += [
        ("release", f"{r.number}: {r.reason or 'no reason given'} (entry {r.entry})")
        for r in origin.releases
    ]
    lines += [("erased", _erased(rows)) for rows in origin.erased]
    return [*lines, *_making(origin), *_data(origin)]


def _check(check: AskingCheck) -> Iterator[Line]:
    """Return what the drift check saw that asked for the retraining: change, cause and effect."""
    reasons = words.join(check.reasons)
    verdict = words.plain(check.verdict)
    yield "changed", f"{verdict}: {reasons} (entry {check.entry}, {iso(check.at)})"
    if cause := check.cause:
        evidence = words.join(cause.evidence)
        yield "cause", f"{cause_words(cause.kind, cause.detail)} ({cause.sureness}): {evidence}"
    if effect := check.effect:
        yield "effect", f"{effect_words(effect.follows)}: {words.join(effect.words)}"


def _erased(rows: ErasedRows) -> str:
    whose = f"{how_many(rows.rows, 'row')} of {how_many(rows.people, 'person', 'people')}"
    where = f"entry {rows.entry}, {iso(rows.at)}"
    return f"{whose} that it learnt from ({where}); it cannot be built again"


def _verdict(verdict: Judgement) -> Iterator[Line]:
    reasons = words.join(verdict.reasons) or "every check passed"
    yield "verdict", f"{verdict.verdict}: {reasons} (entry {verdict.entry}, {iso(verdict.at)})"
    against = f"version {verdict.champion}" if verdict.champion else "no champion"
    yield "judged", f"{verdict.candidate} against {against}, as of {iso(verdict.as_of)}"
    yield "run", verdict.run
    if verdict.started_because:
        yield "started", verdict.started_because


def _answer(answer: Answer) -> str:
    said = answer.said
    if isinstance(said, Approval):
        what, reason = "approved" if said.approved else "not approved", said.why
    else:
        what, reason = "override", said.reason
    by = f" by {said.by}" if said.by else ""
    return f"{what}{by}{f': {reason}' if reason else ''} (entry {answer.entry}, {iso(answer.at)})"


def _making(origin: Origin) -> Iterator[Line]:
    """Return what the version was learnt with: code, lock, packages and seed."""
    training = origin.training
    if training is None:
        yield "training", origin.missing.get("training", "none")
    else:
        learner = f"{training.candidate} ({training.estimator}) on {training.rows:,} rows"
        yield "training", f"{learner}, seed {training.seed}, run {training.run_id} in MLflow"
        yield "code", training.code[:HASH]
        yield "lock", training.lock[:HASH] or "not recorded"
        if training.environment:
            yield "packages", training.environment[:HASH]
    for verdict in origin.verdicts:
        if made := verdict.made_from:
            commit = f"commit {made.commit[:HASH]}, " if made.commit else ""
            yield "made from", f"{commit}recipe {made.recipe.sha256[:HASH]}"


def _data(origin: Origin) -> Iterator[Line]:
    """Return what the version was learnt from: features, expectations, batches."""
    features, checks = origin.features, origin.expectations
    if features is None:
        yield "features", origin.missing.get("features", "none")
    else:
        yield "features", f"revision {features.revision[:HASH]}, {features.rows:,} rows"
    if checks is None:
        yield "expected", origin.missing.get("expectations", "none")
    else:
        suites = ", ".join(f"{table} {sha[:HASH]}" for table, sha in checks.suites.items())
        held = f"{how_many(checks.expectations, 'expectation')} checked on"
        held += f" {how_many(checks.batches, 'batch')}, {how_many(checks.warnings, 'warning')}"
        yield "expected", f"{held}; suites: {suites or 'none'}"
    yield (
        "batches",
        origin.missing.get("batches") or how_many(len(origin.batches), "batch"),
    )
    for name, why in origin.left_out.items():
        yield "left out", f"the batch {name}, held in quarantine: {why}"


def say_resting(resting: Resting) -> list[Line]:
    """Return what rests on a batch, without the table of versions."""
    lines = [("features", revision) for revision in resting.features] or [("features", "none")]
    if not resting.versions:
        lines.append(("versions", "none"))
    if resting.unknown_plans:
        plans = how_many(resting.unknown_plans, "plan")
        lines.append(("unknown", f"{plans}, {_GONE}: nobody can say what rests on the batch there"))
    if resting.unrecorded:
        versions = ", ".join(resting.unrecorded)
        lines.append(("unknown", f"versions {versions}: their batches were not recorded"))
    return lines + [("damage", problem) for problem in resting.damage]


_GONE = "no longer in the store"


def versions_resting(resting: Resting) -> list[list[str]]:
    """Return a row for each version: its number, the turns in which it served, its predictions."""
    return [
        [
            version,
            "; ".join(
                f"release {t.release}, {span(t)}" for t in resting.served if t.version == version
            )
            or "never",
            f"{(resting.predictions or {}).get(version, 0):,}",
        ]
        for version in resting.versions
    ]


def say_row(row: AnsweredRow) -> list[Line]:
    """Return a row of an answered request."""
    label = (
        "none came"
        if row.label is None
        else words.figure(row.label)
        if isinstance(row.label, float)
        else row.label
    )
    inputs = ", ".join(f"{name} {value}" for name, value in row.inputs.items())
    return [
        (
            "answered",
            f"{row.prediction} at {iso(row.at)}, by version {row.version}, release {row.release}",
        ),
        ("label", label),
        ("inputs", inputs or "none in the log"),
    ]
