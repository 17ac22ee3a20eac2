"""What a version is for, what it was learnt from, and what it scored: sections of its card.

Each says what the records say, or that they do not say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.cards.document import NOT_KNOWN, NOT_MEASURED, Section, Table
from pipelines.intervals import iso
from pipelines.plurals import how_many
from pipelines.tasks import traits_of
from pipelines.verdicts import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.cards.known import Known

MOST_SLICES = 8
"""Slices that a card shows, the worst first."""
EARLIER = "an earlier version of Perennial judged it, and did not record this"


def purpose(known: Known) -> Section:
    """Return what the model is for, as its spec said when the version was made."""
    spec = known.spec
    if spec is None:
        why = "model.yaml of that time was not kept, is gone, or makes no sense to this Perennial"
        return Section(title="Purpose", notes=[f"{NOT_KNOWN}: {why}"])
    target = spec.target.column if spec.has_target else "none: nothing tells what is right"
    facts = [
        ("purpose", spec.description),
        ("owner", spec.owner),
        ("answers", f"{traits_of(spec.task).means} ({spec.task})"),
        ("target", target),
        ("inputs", f"{len(spec.inputs)}: {', '.join(spec.inputs)}"),
    ]
    if spec.features.personal:
        facts.append(("personal", f"{', '.join(spec.features.personal)}, as the spec says"))
    return Section(title="Purpose", facts=facts)


def data(known: Known) -> Section:
    """Return what the version was learnt from and judged on."""
    origin, figures, verdict = known.origin, known.figures, known.verdict
    learnt = known.recipe.learnt if known.recipe else None
    training = origin.training
    rows = learnt.rows_train if learnt else training.rows if training else None
    held = learnt.rows_holdout if learnt else None
    facts = [
        ("learnt from", _rows(rows)),
        ("judged on", _held(held, figures.evidence if figures else "")),
        ("batches", origin.missing.get("batches") or _batches(known)),
        ("features revision", _features(known)),
        ("expectations", _expectations(known)),
        ("as of", iso(verdict.as_of) if verdict else NOT_KNOWN),
    ]
    if verdict and verdict.sampled:
        facts.append(("more than memory holds", words.sampled(verdict.sampled)))
    if figures and figures.hidden:
        shown = "; ".join(f"{name} ({why})" for name, why in figures.hidden.items())
        facts.append(("not shown", shown))
    return Section(
        title="Data",
        facts=facts,
        notes=["Before it serves, a promoted version is fitted again, on the held-out rows too."]
        if known.spec and not known.spec.is_snapshot
        else [],
    )


def _rows(count: int | None) -> str:
    return NOT_KNOWN if count is None else how_many(count, "row")


def _held(count: int | None, evidence: str) -> str:
    if count is None:
        return NOT_KNOWN
    pieces = f"which are {evidence}" if evidence else f"pieces of evidence: {NOT_MEASURED}"
    return f"{how_many(count, 'held-out row')}, {pieces}"


def _batches(known: Known) -> str:
    batches = known.origin.batches
    parts = []
    for use in dict.fromkeys(b.use for b in batches):
        names = [b.batch for b in batches if b.use == use]
        span = f"{names[0]} to {names[-1]}" if len(names) > 1 else names[0]
        parts.append(f"{use}: {how_many(len(names), 'batch')} ({span})")
    return "; ".join(parts) or "none"


def _features(known: Known) -> str:
    features = known.origin.features
    if features is not None:
        return f"{features.revision}, {how_many(features.rows, 'row')}"
    return known.verdict.features_revision if known.verdict else NOT_KNOWN


def _expectations(known: Known) -> str:
    checks = known.origin.expectations
    if checks is None:
        return known.origin.missing.get("expectations", NOT_KNOWN)
    return (
        f"{how_many(checks.expectations, 'expectation')} on {how_many(checks.batches, 'batch')}"
        f" with {how_many(checks.rows, 'row')}: none that is critical broke,"
        f" {how_many(checks.warnings, 'warning')}"
    )


def metrics(known: Known) -> Section:
    """Return what the version scored on the held-out rows, each with its interval."""
    verdict, figures = known.verdict, known.figures
    if verdict is None:
        return Section(title="Metrics", notes=[f"{NOT_KNOWN}: {EARLIER}"])
    rows = [
        [name, words.with_unit(value, verdict.units.get(name, "")), _interval(known, name, value)]
        for name, value in _in_order(known, verdict.metrics)
    ]
    title = f"{figures.confidence:.0%} interval" if figures and figures.confidence else "interval"
    notes = []
    if figures is None or figures.nothing:
        why = figures.nothing if figures else f"{NOT_MEASURED}: {EARLIER}"
        notes.append(f"Intervals: {why}.")
    if verdict.threshold is not None:
        notes.append(_threshold(known))
    return Section(
        title="Metrics",
        table=Table(columns=["metric", "on the held-out rows", title], rows=rows, numbers=[1, 2]),
        notes=notes,
    )


def _in_order(known: Known, metrics: Mapping[str, float | None]) -> list[tuple[str, float | None]]:
    """Return the metrics, those first by which the version was chosen and judged."""
    first = known.spec.metrics if known.spec else ()
    return sorted(metrics.items(), key=lambda m: (m[0] not in first, m[0]))


def _interval(known: Known, name: str, value: float | None) -> str:
    """Return a metric's interval; that of other rows than the verdict's would be none of it."""
    found = known.figures.metrics.get(name) if known.figures else None
    if found is None:
        return NOT_MEASURED
    if value is None or found.value is None or abs(found.value - value) > 1e-9 * abs(value):
        how = "over folds, on fewer rows, or fitted again from part to part"
        return f"{NOT_MEASURED}: the gate judged it otherwise ({how})"
    if found.low is None or found.high is None:
        return f"{NOT_KNOWN}: {found.untold}"
    return f"{found.low:.4g} to {found.high:.4g}"


def _threshold(known: Known) -> str:
    verdict = known.verdict
    threshold = verdict.threshold if verdict else None
    if threshold is None:
        return ""
    if threshold.rate is not None:
        return f"It flags a row whose score is above {threshold.value:g}."
    chosen = f"chosen for {threshold.chosen_for}" if threshold.chosen_for else "as the spec says"
    return f"It decides for the positive class above {threshold.value:g}, {chosen}."


def slices(known: Known) -> Section:
    """Return on which rows the version errs most."""
    figures = known.figures
    if figures is None or figures.nothing or not figures.slices_looked_at:
        why = _why_not(known, "errors by slice") or "no slice has rows and days enough"
        return Section(title="Slices", notes=[f"{NOT_MEASURED}: {why}"])
    rows = [
        [
            s.name,
            f"{s.rows:,}",
            words.figure(s.metric) if s.metric is not None else "not defined",
            f"{s.loss:.4g} ({s.low:.4g} to {s.high:.4g})",
            f"{s.difference:+.3g}",
            f"{s.p:.3f}" if s.p >= 0.001 else "< 0.001",  # noqa: PLR2004 -- three digits are read
            "worse" if s.is_worse else "",
        ]
        for s in figures.slices[:MOST_SLICES]
    ]
    columns = ["slice", "rows", figures.slice_metric, figures.slice_loss, "against the rest", "p"]
    note = (
        f"The {how_many(len(rows), 'worst slice')} of {figures.slices_looked_at};"
        f" p is Holm's, over all of them, with {figures.slice_unit} taken as independent."
        " The interval holds 95 %."
    )
    return Section(
        title="Slices",
        table=Table(columns=[*columns, ""], rows=rows, numbers=[1, 2, 3, 4, 5]),
        notes=[note],
    )


def _why_not(known: Known, what: str) -> str:
    """Return why something was not measured; empty where nobody says why."""
    figures = known.figures
    if figures is None:
        return EARLIER
    return figures.nothing.removeprefix(f"{NOT_MEASURED}: ") or figures.failed.get(what, "")
