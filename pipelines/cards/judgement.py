"""The verdict on a version, what people said of it, its limits and its lineage: sections of its
card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.cards.document import NOT_KNOWN, Section, Table
from pipelines.cards.sections import EARLIER
from pipelines.intervals import iso
from pipelines.ledger import Approval
from pipelines.messages import GateResult
from pipelines.plurals import how_many
from pipelines.verdicts import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.cards.known import Known
    from pipelines.messages import GateCheck

_CHECK = {"name", "passed", "detail"}


def verdict(known: Known) -> Section:
    """Return what the gate saw, check by check."""
    found = known.verdict
    if found is None:
        return Section(title="Verdict", notes=[f"{NOT_KNOWN}: {EARLIER}"])
    facts = [
        ("verdict", "promoted" if found.verdict == "promote" else "refused"),
        ("judged", words.opponent(found.part(GateResult))),
    ]
    facts += [("because", reason) for reason in found.reasons]
    facts += [("incident", found.incident)] if found.incident else []
    facts += [("chosen", found.choice)] if found.choice else []
    facts += [("started because", found.started_because)] if found.started_because else []
    rows = [[c.name, "pass" if c.passed else "FAIL", _detail(c)] for c in found.checks]
    table = Table(columns=["check", "result", "detail"], rows=rows) if rows else None
    return Section(title="Verdict", facts=facts, table=table)


def _detail(check: GateCheck) -> str:
    """Return what a check saw, with all that later versions of Perennial say beside it."""
    more = {k: v for k, v in check.model_dump(mode="json").items() if k not in _CHECK}
    said = [
        f"{name.replace('_', ' ')}: {words.figure(v) if isinstance(v, float) else v}"
        for name, v in more.items()
        if v not in (None, "", [], {})
    ]
    return "; ".join([check.detail, *said])


def people(known: Known) -> Section:
    """Return who said what of the version."""
    facts = list(_answers_of_people(known))
    if facts:
        return Section(title="People", facts=facts)
    asks = known.spec is not None and known.spec.gate.asks
    promoted = known.verdict is not None and known.verdict.verdict == "promote"
    awaited = "Nobody has answered yet whether it may serve."
    return Section(
        title="People",
        notes=[awaited if asks and promoted else "Nobody was asked, and nobody overrode anything."],
    )


def _answers_of_people(known: Known) -> Iterator[tuple[str, str]]:
    for answer in known.origin.answers:
        said, entry = answer.said, f"(entry {answer.entry})"
        if isinstance(said, Approval):
            at = iso(said.answered_at.replace(microsecond=0))
            yield (
                ("approved", f"by {said.by} at {at} {entry}")
                if said.approved
                else ("not approved", f"{said.why}, at {at} {entry}")
            )
        else:
            at = iso(answer.at.replace(microsecond=0))
            yield "overridden", f"by {said.by} at {at}: {said.reason} {entry}"
            yield "refused before", words.join(said.reasons)


def limits(known: Known) -> Section:
    """Return what is known to limit the version; each sentence follows from a record."""
    return Section(title="Limits", notes=list(_limits(known)))


def _limits(known: Known) -> Iterator[str]:
    yield from _limits_of_verdict(known)
    yield from _limits_of_figures(known)
    spec = known.spec
    if spec is not None and not spec.is_snapshot and spec.has_target:
        after = str(spec.target.known_after).removesuffix(", 0:00:00")
        yield f"Whether an answer was right is known {after} after its event only."
    yield "It was judged on the rows named here; what it does on others is watched, not known."
    yield "For what it must not be used, nobody has recorded."


def _limits_of_verdict(known: Known) -> Iterator[str]:
    found = known.verdict
    if found is None:
        return
    if found.incident:
        yield f"It was not judged against the champion: {found.incident}."
    failed = [check.name for check in found.checks if not check.passed]
    if failed:
        yield f"It failed {how_many(len(failed), 'check')} of the gate: {', '.join(failed)}."
    for name, value in found.metrics.items():
        if value is None:
            yield f"{name} is not defined on the held-out rows."


def _limits_of_figures(known: Known) -> Iterator[str]:
    figures = known.figures
    if figures is None or figures.nothing:
        yield "How sure its metrics are, and on which rows it errs most, was not measured."
        return
    by_reason: dict[str, list[str]] = {}
    for name, found in figures.metrics.items():
        if found.untold:
            by_reason.setdefault(found.untold, []).append(name)
    for why, names in by_reason.items():
        yield f"How sure {', '.join(names)} is, nobody can tell: {why}."
    for each in figures.slices:
        if each.is_worse:
            yield f"It errs more on rows where {each.name} ({how_many(each.rows, 'row')})."


def lineage(known: Known) -> Section:
    """Return what the version was made from."""
    origin, found, recipe = known.origin, known.verdict, known.recipe
    made, training = found.made_from if found else None, origin.training
    facts = [
        ("candidate", _candidate(known)),
        ("seed", str(made.seed) if made else str(training.seed) if training else NOT_KNOWN),
        ("commit", (made.commit or "no checkout") if made else NOT_KNOWN),
        ("code of the model", made.code if made else training.code if training else NOT_KNOWN),
        ("lock", (made.lock or "none") if made else NOT_KNOWN),
        ("code of Perennial", made.perennial if made else NOT_KNOWN),
        ("recipe", made.recipe.sha256 if made else NOT_KNOWN),
        ("Python", recipe.python if recipe else NOT_KNOWN),
        ("features revision", found.features_revision if found else NOT_KNOWN),
        ("run", known.run or NOT_KNOWN),
        ("run in MLflow", (found.run_id if found else "") or NOT_KNOWN),
    ]
    facts += [
        ("asked for by", f"a window until {iso(r.window.end)}: {words.join(r.reasons)}")
        for r in origin.requests
    ]
    return Section(
        title="Lineage",
        facts=facts,
        notes=[
            f"Every batch: perennial why {origin.model} {origin.version}.",
            f"When it served: perennial history {origin.model}.",
        ],
    )


def _candidate(known: Known) -> str:
    training, recipe = known.origin.training, known.recipe
    name = known.verdict.candidate if known.verdict else NOT_KNOWN
    estimator = f" ({training.estimator})" if training else ""
    params = recipe.learnt.params if recipe else {}
    chosen = ", ".join(f"{key} {value}" for key, value in params.items())
    return f"{name}{estimator}{f'; {chosen}' if chosen else ''}"
