"""Batches in which a drift check is sure to see a broken pipe: no retraining learns from them.

They are in quarantine by what was seen (`Quarantine.cause`), and stay there until a person admits
them, or a later check finds no broken pipe in a newer version of the batch. An interval is held,
whatever version of its batch there is by then: late rows make a new version and mend nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import BadData, RequestError
from pipelines.incidents.events import NAME, WORDS, expect_answer
from pipelines.ledger import Admission, Quarantine
from pipelines.plurals import how_many
from pipelines.verdicts.words import left_out_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.data.manifests import BatchRef, Plan
    from pipelines.ledger import Ledger
    from pipelines.messages import DriftCause
    from pipelines.refs import Ref

_SHOWN, _WHY = 10, 100
"""Batches that are left out and named in a result, and the characters of why."""


def held_batches(ledger: Ledger, model: str) -> dict[str, Quarantine]:
    """Return the batches that no retraining learns from, by the names of their intervals."""
    entries = [*ledger.entries(model, "quarantine"), *ledger.entries(model, "admission")]
    held: dict[str, Quarantine] = {}
    for entry in sorted(entries, key=lambda e: e.seq):
        match entry.decision:
            case Quarantine(cause=None):
                pass  # it broke its expectations: `validate` stops whoever reads it
            case Quarantine() as quarantine:
                held[quarantine.interval.name] = quarantine
            case Admission(interval=interval):
                held.pop(interval.name, None)
    return held


def without_held(
    held: dict[str, Quarantine], batches: Sequence[BatchRef]
) -> tuple[list[BatchRef], dict[str, str]]:
    """Return the batches that are not held, and why the others are, by their names."""
    names = [batch.interval.name for batch in batches]
    why = {name: held[name].reasons[0] for name in names if name in held}
    return [batch for batch in batches if batch.interval.name not in why], why


def leave_out_held(ledger: Ledger, plan: Plan) -> Plan:
    """Return a retraining's plan without the batches that are held, and with their reasons.

    Raises BadData where none is left to learn from, or none to judge on.
    """
    held = held_batches(ledger, plan.model)
    parts = {"train": plan.train, "holdout": plan.holdout, "lookback": plan.lookback}
    kept = {use: without_held(held, batches) for use, batches in parts.items()}
    left_out = kept["lookback"][1] | kept["train"][1] | kept["holdout"][1]
    for use, what_for in (("train", "learn from"), ("holdout", "judge on")):
        if parts[use] and not kept[use][0]:
            raise BadData(
                f"No batch is left to {what_for}: {left_out_batches(in_sentences(left_out))}.",
                remedy=(
                    f"`perennial quarantine {plan.model}` says how to let them in; or wait for the"
                    " next batch."
                ),
            )
    update = {use: batches for use, (batches, _) in kept.items()}
    return plan.model_copy(update={**update, "left_out": left_out})


def in_sentences(left_out: dict[str, str]) -> list[str]:
    """Return the newest batches that are left out, with why, as few as fit into a result."""
    lines = [f"{name} ({why[:_WHY]})" for name, why in sorted(left_out.items())]
    more = len(lines) - _SHOWN
    return [*([f"{how_many(more, 'earlier batch')}"] if more > 0 else []), *lines[-_SHOWN:]]


def hold_batch(
    ledger: Ledger, model: str, batch: BatchRef, cause: DriftCause, reasons: list[str], page: Ref
) -> bool:
    """Put a batch into quarantine by what was seen in it; tell whether it is held now.

    It is not where a person has admitted the interval with what is seen (the detail of the cause).
    `reasons` say it in words, the first one in short; `page` is the check's.
    """
    name = batch.interval.name
    if name in held_batches(ledger, model):
        return True
    if is_admitted(ledger, model, batch, cause.detail):
        return False
    admissions = [a for a in _admissions(ledger, model) if a.interval == batch.interval]
    quarantine = Quarantine(
        interval=batch.interval,
        version=batch.version,
        batch=batch.manifest,
        reasons=reasons,
        bad_rows={},
        page=page,
        cause=cause,
    )
    key = f"{name}:{batch.manifest.sha256}:cause-{cause.detail}-{len(admissions)}"
    ledger.append(model, key, quarantine)
    return True


def is_admitted(ledger: Ledger, model: str, batch: BatchRef, detail: str) -> bool:
    """Tell whether a person has said that what is seen in a batch is no broken pipe."""
    return any(
        a.by and (a.interval, a.detail) == (batch.interval, detail)
        for a in _admissions(ledger, model)
    )


def admit_batch(ledger: Ledger, model: str, name: str, *, by: str, reason: str) -> Admission:
    """Let retrainings learn from a held batch again, by a person's word.

    Raises RequestError where it is not held, or a name or a reason is missing.
    """
    expect_answer(by, reason)
    if name not in held_batches(ledger, model):
        raise RequestError(
            f"The batch {name[:60]!r} of {model} is not held in quarantine by its cause.",
            remedy=(
                f"`perennial quarantine {model}` lists those that are; what broke its expectations"
                " is let in by mending the source or the suite."
            ),
        )
    return _admit(ledger, model, name, by=by.strip()[:NAME], reason=reason.strip()[:WORDS])


def admit_mended(ledger: Ledger, model: str, batch: BatchRef, why: str) -> None:
    """Let retrainings learn from a held batch again whose newer version was found sound."""
    if batch.interval.name in held_batches(ledger, model):
        _admit(ledger, model, batch.interval.name, by="", reason=why)


def _admit(ledger: Ledger, model: str, name: str, *, by: str, reason: str) -> Admission:
    while True:
        quarantine = held_batches(ledger, model).get(name)
        mine = [a for a in _admissions(ledger, model) if a.interval.name == name]
        if quarantine is None:
            return mine[-1]
        admission = Admission(
            interval=quarantine.interval,
            batch=quarantine.batch,
            detail=quarantine.cause.detail if quarantine.cause else "",
            by=by,
            reason=reason,
        )
        # Whoever is faster takes the number; the next look finds the batch admitted.
        ledger.append(model, f"{name}:{len(mine) + 1:04d}", admission)


def _admissions(ledger: Ledger, model: str) -> list[Admission]:
    found = (entry.decision for entry in ledger.entries(model, "admission"))
    return [decision for decision in found if isinstance(decision, Admission)]
