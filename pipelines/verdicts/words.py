"""Verdicts in words: the one place where a decision becomes text that people read.

Logs, XComs, pages, commands and the demo take their words from here. Light, because Airflow's
plugin imports it when it parses the DAGs.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from pipelines.intervals import iso
from pipelines.plurals import how_many
from pipelines.tasks import STAND_INS, UNPROVEN
from pipelines.verdicts.estimates import estimate_lines
from pipelines.verdicts.explanations import in_short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.intervals import Interval
    from pipelines.messages import (
        DeployResult,
        DriftResult,
        DriftVerdict,
        GateResult,
        ProveResult,
        ReplayResult,
        ReportResult,
        Sampled,
    )

MEANINGS: dict[DriftVerdict, str] = {
    "no_drift": "No test sees that what was asked of the model differs from what it learnt from.",
    "drift": (
        "What was asked of the model, or how well it answers, is no longer what it learnt from and"
        " promised."
    ),
    "alarm": (
        "Something is broken, so nothing can be said about drift. A person must look; nothing is"
        " retrained from it."
    ),
    "not_enough_data": "Too little is in this window to say anything about drift.",
}
"""What each verdict on a window says, for someone who reads it for the first time."""

NO_RETRAINING: dict[DriftVerdict, str] = {
    "no_drift": "no drift was seen",
    "not_enough_data": "there are not enough data for a verdict",
    "alarm": "something is broken, and a retraining would learn from it; a person must look",
}
"""Why a verdict on a window starts no retraining."""


PURPOSES = {"retrain": "a retraining", "drift": "a drift check"}


class Line(NamedTuple):
    """One line of a log."""

    level: int
    text: str


def plain(word: str) -> str:
    """Return a verdict or an outcome as one says it: `not_enough_data` is not enough data."""
    return word.replace("_", " ")


def join(reasons: Iterable[object]) -> str:
    """Return reasons in one line."""
    return "; ".join(str(reason) for reason in reasons if reason)


def figure(value: object) -> str:
    """Return a number as people read it; a question mark where there is none."""
    return f"{value:.4g}" if isinstance(value, int | float) else "?"


def with_unit(value: float | None, unit: str) -> str:
    """Return a metric's value with what it is counted in."""
    text = "not finite" if value is None else f"{value:.6g}"
    return f"{text} {unit}" if unit else text


def count(value: object) -> str:
    """Return a whole number as people read it; a question mark where there is none."""
    return f"{value:,}" if isinstance(value, int) else "?"


def challenger(candidate: str | None, version: str | None) -> str:
    """Return who was judged; either may be empty where there was none."""
    if not candidate:
        return "no challenger"
    return f"{candidate} (version {version})" if version else candidate


def what_serves(version: str | None) -> str:
    """Return what serves on where nothing new came."""
    return f"version {version} serves on" if version else "nothing serves"


def live_score(metric: str, live: float | None, expected: float | None) -> str:
    """Return the champion's score on a window against the promised one; empty where unknown."""
    return "" if live is None else f"{metric} {figure(live)} live, {figure(expected)} expected"


def rows_seen(
    rows: object, source: object, labelled: object, champion: str | None, of: int | None = None
) -> str:
    """Return which rows a verdict on a window stands on.

    `labelled` is None of a model that has no labels; `of` are all rows, where those are a sample.
    """
    against = f"against version {champion}" if champion else "without a champion"
    known = "" if labelled is None else f" {count(labelled)} labelled,"
    seen = f"{count(rows)} of {count(of)} rows" if of else f"{count(rows)} rows"
    return f"{seen} of {source},{known} {against}"


def window(model: str, interval: Interval) -> str:
    """Return which window of which model."""
    return f"{model}, window {iso(interval.start)} to {iso(interval.end)}"


def release(result: DeployResult) -> str:
    """Return what serves now, and what served before."""
    before = f"version {result.previous}" if result.previous else "nothing"
    return f"version {result.version} serves as release {result.release} (before: {before})"


def opponent(result: GateResult) -> str:
    """Return against whom the challenger was judged, or that it was judged by its promise."""
    champion = f"the champion, version {result.champion}" if result.champion else ""
    if champion and not result.incident:
        return f"against {champion}"
    if any(c.name == UNPROVEN for c in result.checks):
        return "by its promise and the bounds alone, because what decides needs no label"
    why = f"{champion}, cannot answer" if champion else "no version serves yet"
    named = (name for name in STAND_INS if any(c.name == f"versus {name}" for c in result.checks))
    return f"against {STAND_INS[next(named, 'dummy')]}, because {why}"


def refusal(candidate: str | None, reasons: Iterable[object]) -> str:
    """Return in one line why a challenger does not go on."""
    who = f"The challenger {candidate}" if candidate else "The challenger"
    return f"{who} was not promoted: " + (join(reasons) or "the gate gave no reason.")


def how_it_ended(version: str | None, *, built: bool) -> str:
    """Return how far a retraining came that ended before it deployed or refused anything.

    `version` is the one that the gate promoted, None where it judged nothing yet.
    """
    if version is not None:
        return f"version {version} was promoted, but not deployed"
    return f"the run ended before its {'challenger was judged' if built else 'features were built'}"


def gate_entry(
    candidate: str | None,
    version: str | None,
    reasons: Iterable[object],
    started_because: str,
    drawn: Sampled | None = None,
) -> str:
    """Return the gate's verdict as a list of decisions shows it, beside the verdict itself.

    `drawn` are the rows that stand for all, where there were more than memory holds.
    """
    because = f" (started because: {started_because})" if started_because else ""
    because += f" ({sampled(drawn)})" if drawn else ""
    return ": ".join(filter(None, [challenger(candidate, version), join(reasons)])) + because


def ingest_entry(batches: int, purpose: str, reason: str, left_out: Sequence[str] = ()) -> str:
    """Return which batches a run reads, and which it leaves out, as a list of decisions shows."""
    what = f"{how_many(batches, 'batch')} for {PURPOSES.get(purpose, purpose)}"
    said = f"{what}: {reason}" if reason else what
    return f"{said}; {left_out_batches(left_out)}" if left_out else said


def left_out_batches(sentences: Sequence[str]) -> str:
    """Return which batches a run leaves out and why, in one line."""
    return f"left out, held in quarantine: {join(sentences)}"


def admission_entry(batch: str, by: str, reason: str) -> str:
    """Return that a batch is learnt from again, as a list of decisions shows it."""
    who = f"admitted by {by}" if by else "found sound"
    return f"the batch {batch} is {who}: {reason}"


def validation_entry(batches: int, rows: int, expectations: int, warnings: int) -> str:
    """Return what held on a run's batches."""
    what = f"no critical expectation broke on {how_many(batches, 'batch')} ({rows:,} rows)"
    counts = f"{how_many(expectations, 'expectation')}, {how_many(warnings, 'warning')}"
    return f"{what}: {counts}"


def features_entry(revision: str, rows: int, engines: Sequence[str] = ()) -> str:
    """Return which features version a run stands on, and what built it where that is not usual."""
    by = f", built by {' and '.join(engines)}" if engines else ""
    return f"features version {revision[:12]} with {how_many(rows, 'row')}{by}"


def training_entry(candidate: str, estimator: str, rows: int, seed: int, skipped: str) -> str:
    """Return what training a candidate came to."""
    if skipped:
        return f"{candidate} ({estimator}) was skipped: {skipped}"
    return f"{candidate} ({estimator}) learnt from {how_many(rows, 'row')}, seed {seed}"


def sampled(rows: Sampled) -> str:
    """Return what was learnt from and judged, where there were more rows than memory holds."""
    drawn = _one_in("a sample", rows.learnt, rows.of, "rows")
    if rows.in_parts:
        learnt = f"fitted in parts on all {rows.of:,} rows, prepared and searched on {drawn}"
    else:
        learnt = f"fitted on {drawn}" if rows.learnt < rows.of else f"fitted on {rows.of:,} rows"
    if rows.judged == rows.judged_of:
        return f"{learnt}; judged on all {rows.judged_of:,} held-out rows"
    return (
        f"{learnt}; judged on {_one_in('a sample', rows.judged, rows.judged_of, 'held-out rows')}"
    )


def looked_at(rows: int, of: int) -> str:
    """Return that a window has more rows than memory holds, and how many were looked at."""
    return f"looked at {_one_in('a sample', rows, of, 'rows')} of the window"


def _one_in(what: str, rows: int, of: int, noun: str) -> str:
    share = f"{of / rows:.3g}" if rows else "?"
    return f"{what} of {rows:,} of {of:,} {noun}, one in {share}"


def gate(result: GateResult) -> list[Line]:
    """Return the gate's verdict for a log: every check, and every reason to refuse, once."""
    who = "the challenger" if not result.candidate else challenger(result.candidate, result.version)
    lines = [Line(logging.INFO, f"Verdict on {who}: {result.verdict.upper()}")]
    if result.choice:
        lines.append(Line(logging.INFO, f"  chosen: {result.choice}"))
    if result.sampled:
        lines.append(Line(logging.INFO, f"  {sampled(result.sampled)}"))
    if result.judged_by:
        found = f"  found: {result.judged_by.finding} (rule {result.judged_by.rule})"
        lines.append(Line(logging.INFO, found))
    if result.incident:
        lines.append(Line(logging.ERROR, f"  INCIDENT: {result.incident}"))
    for check in result.checks:
        if not (result.incident and result.incident in check.detail):
            level, mark = (logging.INFO, "ok  ") if check.passed else (logging.WARNING, "FAIL")
            way = f"; it would pass with: {check.would_pass}" if check.would_pass else ""
            lines.append(Line(level, f"  {mark} {check.name}: {check.detail}{way}"))
    failed = {check.detail for check in result.checks if not check.passed}
    return lines + _because((r for r in result.reasons if r not in failed), logging.WARNING)


def approval(result: GateResult) -> list[Line]:
    """Return for a log what became of a verdict when a person was asked."""
    level = logging.INFO if result.verdict == "promote" else logging.WARNING
    who = challenger(result.candidate, result.version)
    said = Line(level, f"After approval, {who}: {result.verdict.upper()}")
    return [said, *_because(result.reasons, level)]


def nobody_approved(until: str) -> str:
    """Return why a version is refused that nobody answered for in time."""
    return f"nobody approved it by {until}"


def answered(by: str, why: str) -> str:
    """Return what was answered on a version; `why` says why it is no yes."""
    return why or f"approved by {by}"


def overridden(by: str, reason: str) -> str:
    """Return the mark of a version that a person wants to serve although it was refused."""
    return f"refused, and overridden by {by}: {reason}"


def override_entry(version: str, by: str, reason: str, reasons: Iterable[object]) -> str:
    """Return an override as a list of decisions shows it."""
    return f"version {version}: {overridden(by, reason)} (refused because: {join(reasons)})"


def drift(result: DriftResult) -> list[Line]:
    """Return the verdict on a window for a log."""
    level = logging.INFO if result.verdict == "no_drift" else logging.WARNING
    span = f"{iso(result.window.start)} to {iso(result.window.end)}"
    facts = [
        rows_seen(result.rows, result.source, result.labelled, result.champion, result.of),
        live_score(result.metric, result.live, result.expected),
    ]
    if result.columns:
        names = f": {', '.join(result.drifted)}" if result.drifted else ""
        facts.append(f"{len(result.drifted)} of {result.columns} inputs drifted{names}")
    return [
        Line(level, f"Verdict on the window from {span}: {plain(result.verdict).upper()}"),
        *(Line(logging.INFO, f"  {fact}") for fact in facts if fact),
        *_because(result.reasons, level),
        *(Line(logging.INFO, f"  {line}") for line in in_short(result.cause, result.effect)),
        *(Line(logging.INFO, f"  {line}") for line in estimate_lines(result.estimate)),
    ]


def report(result: ReportResult) -> list[Line]:
    """Return for a log what came of a window."""
    return [Line(logging.INFO, f"{plain(result.outcome).upper()}: {result.said}")]


def rollback(result: DeployResult) -> list[Line]:
    """Return for a log what serves after a rollback."""
    return [Line(logging.INFO, f"ROLLED BACK: {release(result)}")]


def in_one_line(lines: Iterable[Line]) -> str:
    """Return the lines as one, which is how Airflow's UI shows an XCom."""
    return " | ".join(" ".join(line.text.split()) for line in lines)


def _because(reasons: Iterable[str], level: int) -> list[Line]:
    return [Line(level, f"  because {reason}") for reason in reasons]


def proof(version: str, differences: Sequence[str], causes: Sequence[str], rows: int) -> str:
    """Return how a version came out that was built again."""
    name = f"version {version} was built again"
    if not differences:
        return f"{name} and is equal ({rows:,} rows)"
    why = f"; not as it was: {join(causes)}" if causes else ""
    return f"{name} and is different: {join(differences)}{why}"


def prove(result: ProveResult) -> list[Line]:
    """Return what a proof came to; a difference never gets here, since it is an error."""
    if result.verdict == "skipped":
        return [Line(logging.WARNING, f"Nothing was proven: {result.why}")]
    text = f"Version {result.version} was built again and is equal: {result.checks} things were"
    return [Line(logging.INFO, f"{text} compared, and {result.rows:,} rows asked, bit for bit.")]


def replay(result: ReplayResult) -> list[Line]:
    """Return what a replay came to."""
    lines = [Line(logging.INFO, text) for text in result.why]
    for name, mean in result.means.items():
        times = how_many(result.retrainings[name], "retraining")
        lines.append(Line(logging.INFO, f"{name}: {result.metric} {figure(mean)}, {times}"))
    return lines
